/** GeoJSON of QuPath: one annotation for each object. */

/**
 * @param {{label: number, area: number}[]} objects
 * @param {[number, number][][][][]} outlines of the objects.
 * @param {{classes: string[], colors: number[][]}} about model.json.
 */
export function toGeoJson(objects, outlines, { classes, colors }) {
  const features = objects.map(({ label, area }, n) => {
    const polygons = outlines[n].map((rings) => rings.map((ring) => [...ring, ring[0]]));
    const single = polygons.length === 1;
    return {
      type: "Feature",
      geometry: { type: single ? "Polygon" : "MultiPolygon", coordinates: single ? polygons[0] : polygons },
      properties: {
        objectType: "annotation",
        name: String(n + 1),
        classification: { name: classes[label], color: colors[label] },
        measurements: { "Area px": area },
      },
    };
  });
  return JSON.stringify({ type: "FeatureCollection", features });
}
