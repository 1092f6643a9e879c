"""Look at a DICOM image and its segmentation in OHIF: Orthanc serves them, headless Chromium takes two screenshots.

    unshare --net python tools/ohif_screenshot.py OHIF OUT IMAGE.dcm SEG.dcm

OHIF is a folder with what `npm pack @ohif/app@3.13.2` (unpacked, as `package`) and `npm install puppeteer-core` put there.
OUT gets before.png, after.png (with the segmentation) and console.txt. It runs in a network namespace of its own, since the
Orthanc of Debian listens on every address. Needs: orthanc, orthanc-dicomweb, chromium, node.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pydicom

ORTHANC, PAGE = "http://127.0.0.1:18042", 18090
PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"
CONFIG: dict[str, Any] = {
    "Plugins": [PLUGIN],
    "HttpPort": 18042,
    "DicomServerEnabled": False,
    "AuthenticationEnabled": False,
    "UnknownSopClassAccepted": True,
    "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": True, "WadoRoot": "/wado", "Ssl": False},
}
SOURCE = {
    "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
    "sourceName": "local",
    "configuration": {
        "friendlyName": "local",
        "name": "local",
        "wadoUriRoot": "/wado",
        "qidoRoot": "/dicom-web",
        "wadoRoot": "/dicom-web",
        "imageRendering": "wadors",
        "thumbnailRendering": "wadors",
        "enableStudyLazyLoad": True,
        "supportsFuzzyMatching": False,
        "supportsWildcard": True,
    },
}
APP = {
    "routerBasename": "/",
    "extensions": [],
    "modes": [],
    "showStudyList": True,
    "maxNumberOfWebWorkers": 2,
    "defaultDataSourceName": "local",
    "dataSources": [SOURCE],
}


@contextmanager
def orthanc() -> Iterator[None]:
    """Run Orthanc with an empty store."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "orthanc.json"
        store = {"StorageDirectory": f"{folder}/db", "IndexDirectory": f"{folder}/db"}
        config.write_text(json.dumps(CONFIG | store), "utf-8")
        program = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
        with subprocess.Popen([program, config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                for _ in range(120):
                    try:
                        urllib.request.urlopen(f"{ORTHANC}/system").close()
                        break
                    except OSError:
                        time.sleep(0.5)
                yield
            finally:
                process.terminate()


class Handler(SimpleHTTPRequestHandler):
    """Serve OHIF, its configuration, and Orthanc's DICOMweb from one origin."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Log nothing."""

    def end_headers(self) -> None:
        """Isolate the page, which the decoders of OHIF ask for."""
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def do_GET(self) -> None:
        """Answer with a file, the configuration, or what Orthanc says."""
        if self.path.startswith(("/dicom-web", "/wado")):
            request = urllib.request.Request(ORTHANC + self.path, headers={"Accept": self.headers.get("Accept", "*/*")})
            try:
                answer: Any = urllib.request.urlopen(request)
            except urllib.error.HTTPError as error:
                answer = error
            self.answer(answer.status, answer.headers.get("Content-Type", "application/octet-stream"), answer.read())
        elif self.path.split("?")[0] == "/app-config.js":
            self.answer(200, "text/javascript", f"window.config = {json.dumps(APP)};".encode())
        else:
            if not (Path(self.directory) / self.path.split("?")[0].lstrip("/")).is_file():
                self.path = "/index.html"
            super().do_GET()

    def answer(self, status: int, kind: str, body: bytes) -> None:
        """Send one answer."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main(ohif: Path, out: Path, files: list[Path]) -> int:
    """Store the files, open their study, take the screenshots; returns the exit code of the browser's script."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=False)
    out.mkdir(parents=True, exist_ok=True)
    with orthanc():
        for file in files:
            request = urllib.request.Request(f"{ORTHANC}/instances", data=file.read_bytes(), method="POST")
            urllib.request.urlopen(request).close()
        server = ThreadingHTTPServer(("127.0.0.1", PAGE), partial(Handler, directory=str(ohif / "package" / "dist")))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        study = pydicom.dcmread(files[0], stop_before_pixels=True).StudyInstanceUID
        url = f"http://127.0.0.1:{PAGE}/viewer?StudyInstanceUIDs={study}"
        script = ohif / "ohif_screenshot.mjs"  # beside its node_modules
        shutil.copyfile(Path(__file__).with_suffix(".mjs"), script)
        return subprocess.run(["node", script, url, out], check=False, timeout=280).returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve(), [Path(name) for name in sys.argv[3:]]))
