package skipper.check;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** Makes package zips from the folders under src/test/resources/packages. */
final class Packages {

    private static final String JARS_IN_VALUES = "file:///tmp/java-client-check/apps";

    private static final String JARS = System.getProperty("skipper.apps", JARS_IN_VALUES);

    private Packages() {
    }

    /**
     * The zip of a folder such as hello-1.0.0, as a package with another name: the top folder and the name in the
     * top package.yml are replaced, and the place of the sample app's jars is put into the values.
     */
    static byte[] zip(String folder, String name) {
        return zip(folder, name, Map.of());
    }

    /** The same with other or more files, keyed by their path inside the package. */
    static byte[] zip(String folder, String name, Map<String, byte[]> more) {
        Path root = root(folder);
        String top = name + "-" + version(folder) + "/";
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ZipOutputStream zip = new ZipOutputStream(bytes); Stream<Path> walk = Files.walk(root)) {
            List<Path> files = walk.filter(Files::isRegularFile).sorted().collect(Collectors.toList());
            for (Path file : files) {
                String path = root.relativize(file).toString().replace('\\', '/');
                if (more.containsKey(path)) {
                    continue;
                }
                String text = Files.readString(file).replace(JARS_IN_VALUES, JARS);
                if (path.equals("package.yml")) {
                    text = text.replaceFirst("(?m)^name: .*$", "name: " + name);
                }
                add(zip, top + path, text.getBytes(StandardCharsets.UTF_8));
            }
            for (Map.Entry<String, byte[]> file : more.entrySet()) {
                add(zip, top + file.getKey(), file.getValue());
            }
        }
        catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    /** The part of a folder's name behind the last dash. */
    static String version(String folder) {
        return folder.substring(folder.lastIndexOf('-') + 1);
    }

    private static void add(ZipOutputStream zip, String path, byte[] content) throws IOException {
        zip.putNextEntry(new ZipEntry(path));
        zip.write(content);
        zip.closeEntry();
    }

    private static Path root(String folder) {
        URL url = Packages.class.getResource("/packages/" + folder);
        if (url == null) {
            throw new IllegalArgumentException("no folder packages/" + folder + " among the test resources");
        }
        try {
            return Path.of(url.toURI());
        }
        catch (URISyntaxException e) {
            throw new IllegalArgumentException(e);
        }
    }
}
