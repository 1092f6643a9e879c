/** Service worker: the page works without its server once it was loaded; while the server answers, its files are taken. */

const CACHE = "tmunet-page";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(fill()));
self.addEventListener("fetch", (event) => {
  if (event.request.method === "GET" && new URL(event.request.url).origin === location.origin) event.respondWith(answer(event.request));
});

/** Keep the small files, which were loaded before this worker ran; the large ones are kept as they are loaded. */
async function fill() {
  await self.clients.claim();
  const [cache, about] = await Promise.all([caches.open(CACHE), fetch("model.json").then((found) => found.json())]);
  const small = Object.keys(about.files).filter((name) => name !== about.model && !name.startsWith("runtime/"));
  await cache.addAll(["./", "model.json", ...small]);
}

async function answer(request) {
  const cache = await caches.open(CACHE);
  try {
    const found = await fetch(request);
    if (found.status === 200) await cache.put(request, found.clone());
    return found;
  } catch (error) {
    const kept = await cache.match(request);
    if (kept) return kept;
    throw error;
  }
}
