import java.nio.file.*;
import org.locationtech.jts.geom.*;
import org.locationtech.jts.io.WKTReader;
import org.locationtech.jts.operation.valid.IsValidOp;
import org.locationtech.jts.precision.GeometryPrecisionReducer;

/** A line for each line of WKT: what is wrong or "valid", the area, and the area after QuPath's reduction of precision. */
public class JtsCheck {
  public static void main(String[] arguments) throws Exception {
    WKTReader reader = new WKTReader();
    GeometryPrecisionReducer reducer = new GeometryPrecisionReducer(new PrecisionModel(100));
    StringBuilder lines = new StringBuilder();
    for (String line : Files.readAllLines(Path.of(arguments[0]))) {
      Geometry geometry = reader.read(line);
      Object error = new IsValidOp(geometry).getValidationError();
      String reduced;
      try {
        reduced = String.valueOf(reducer.reduce(geometry).getArea());
      } catch (IllegalArgumentException refused) {
        reduced = "refused";
      }
      lines.append(error == null ? "valid" : "invalid").append(' ').append(geometry.getArea()).append(' ').append(reduced).append('\n');
    }
    System.out.print(lines);
  }
}
