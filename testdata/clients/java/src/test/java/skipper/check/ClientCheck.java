package skipper.check;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.util.ArrayDeque;
import java.util.Collection;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.Collectors;

import com.fasterxml.jackson.databind.ObjectMapper;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.function.Executable;

import org.springframework.boot.web.client.RestTemplateBuilder;
import org.springframework.cloud.deployer.spi.app.AppStatus;
import org.springframework.cloud.deployer.spi.app.DeploymentState;
import org.springframework.cloud.skipper.ReleaseNotFoundException;
import org.springframework.cloud.skipper.SkipperException;
import org.springframework.cloud.skipper.client.DefaultSkipperClient;
import org.springframework.cloud.skipper.client.SkipperClient;
import org.springframework.cloud.skipper.client.SkipperClientResponseErrorHandler;
import org.springframework.cloud.skipper.domain.ConfigValues;
import org.springframework.cloud.skipper.domain.Info;
import org.springframework.cloud.skipper.domain.InstallProperties;
import org.springframework.cloud.skipper.domain.InstallRequest;
import org.springframework.cloud.skipper.domain.PackageIdentifier;
import org.springframework.cloud.skipper.domain.PackageMetadata;
import org.springframework.cloud.skipper.domain.Release;
import org.springframework.cloud.skipper.domain.ScaleRequest;
import org.springframework.cloud.skipper.domain.SpringCloudDeployerApplicationManifest;
import org.springframework.cloud.skipper.domain.SpringCloudDeployerApplicationManifestReader;
import org.springframework.cloud.skipper.domain.StatusCode;
import org.springframework.cloud.skipper.domain.UpgradeProperties;
import org.springframework.cloud.skipper.domain.UpgradeRequest;
import org.springframework.cloud.skipper.domain.UploadRequest;
import org.springframework.web.client.HttpStatusCodeException;

/**
 * The client, shorthands for its requests, bounded waits, and the cleaning up. Names of packages and releases are
 * new ones in every run, so the server may hold anything else.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class ClientCheck {

    static final String URI = System.getProperty("skipper.uri", "http://localhost:7577/api");

    /** What the server calls itself and its shell, and their version. */
    static final String SERVER = System.getProperty("skipper.server", "Spring Cloud Skipper Server");

    static final String SHELL = System.getProperty("skipper.shell", "Spring Cloud Skipper Shell");

    static final String VERSION = System.getProperty("skipper.server.version", "2.11.5");

    static final String PLATFORM = System.getProperty("skipper.platform", "default");

    static final String NO_CHANGE =
            "Package to upgrade has no difference than existing deployed/deleted package. Not upgrading.";

    private static final String BUSY = "Statemachine is not in state ready to do ";

    private static final String RUN = UUID.randomUUID().toString().substring(0, 8);

    private static final AtomicInteger COUNT = new AtomicInteger();

    /** Built as the library's own configuration does it. */
    final SkipperClient client = new DefaultSkipperClient(URI, new RestTemplateBuilder()
            .errorHandler(new SkipperClientResponseErrorHandler(new ObjectMapper())).build());

    private final Deque<String> releases = new ArrayDeque<>();

    private final Set<String> packages = new LinkedHashSet<>();

    // names

    static String unique(String word) {
        return "jc" + RUN + "-" + COUNT.incrementAndGet() + "-" + word;
    }

    /** A release name that is cleaned up at the end. */
    String newRelease(String word) {
        String name = unique(word);
        releases.push(name);
        return name;
    }

    /** A package name that is cleaned up at the end. */
    String newPackageName(String word) {
        return newPackageName(word, "");
    }

    String newPackageName(String word, String before) {
        String name = before + unique(word);
        packages.add(name);
        return name;
    }

    /** Uploads these folders (versions of the same package) under one new name. */
    String newPackage(String... folders) {
        String name = newPackageName(folders[0].substring(0, folders[0].lastIndexOf('-')));
        for (String folder : folders) {
            upload(folder, name);
        }
        return name;
    }

    // requests

    PackageMetadata upload(String folder, String name) {
        return client.upload(uploadRequest(folder, name));
    }

    static UploadRequest uploadRequest(String folder, String name) {
        UploadRequest request = new UploadRequest();
        request.setRepoName("local");
        request.setName(name);
        request.setVersion(Packages.version(folder));
        request.setExtension("zip");
        request.setPackageFileAsBytes(Packages.zip(folder, name));
        return request;
    }

    Release install(String pkg, String version, String release, String values) {
        return client.install(installRequest(pkg, version, release, values));
    }

    static InstallRequest installRequest(String pkg, String version, String release, String values) {
        InstallProperties properties = new InstallProperties();
        properties.setReleaseName(release);
        properties.setPlatformName(PLATFORM);
        properties.setConfigValues(values(values));
        InstallRequest request = new InstallRequest();
        request.setPackageIdentifier(identifier(pkg, version));
        request.setInstallProperties(properties);
        return request;
    }

    static UpgradeRequest upgradeRequest(String pkg, String version, String release, String values) {
        UpgradeProperties properties = new UpgradeProperties();
        properties.setReleaseName(release);
        properties.setConfigValues(values(values));
        UpgradeRequest request = new UpgradeRequest();
        request.setPackageIdentifier(identifier(pkg, version));
        request.setUpgradeProperties(properties);
        return request;
    }

    static PackageIdentifier identifier(String pkg, String version) {
        PackageIdentifier identifier = new PackageIdentifier();
        identifier.setRepositoryName("local");
        identifier.setPackageName(pkg);
        identifier.setPackageVersion(version);
        return identifier;
    }

    static ConfigValues values(String raw) {
        ConfigValues values = new ConfigValues();
        values.setRaw(raw);
        return values;
    }

    /** Values that set one application property. */
    static String property(String key, Object value) {
        return "spec:\n  applicationProperties:\n    " + key + ": " + value + "\n";
    }

    // answers

    static List<SpringCloudDeployerApplicationManifest> apps(String manifest) {
        return new SpringCloudDeployerApplicationManifestReader().read(manifest);
    }

    static List<Integer> versions(Collection<Release> releases) {
        return releases.stream().map(Release::getVersion).collect(Collectors.toList());
    }

    static List<String> packageNames(Collection<PackageMetadata> packages) {
        return packages.stream().map(PackageMetadata::getName).collect(Collectors.toList());
    }

    static boolean running(Info info) {
        List<DeploymentState> states = info.getStatus().getDeploymentStateList();
        return info.getStatus().getStatusCode() == StatusCode.DEPLOYED
                && !states.isEmpty() && states.stream().allMatch(DeploymentState.deployed::equals);
    }

    static AppStatus app(Info info, String deploymentId) {
        return info.getStatus().getAppStatusList().stream()
                .filter(app -> deploymentId.equals(app.getDeploymentId())).findFirst()
                .orElseGet(() -> fail("no app " + deploymentId + " in " + info.getStatus().getPlatformStatus()));
    }

    // waits

    Info awaitRunning(String release) {
        return await(60, release + " to run", () -> client.status(release), ClientCheck::running);
    }

    AppStatus awaitInstances(String release, String deploymentId, int count) {
        return await(60, deploymentId + " to have " + count + " running",
                () -> app(client.status(release), deploymentId),
                app -> app.getInstances().size() == count && app.getState() == DeploymentState.deployed);
    }

    Info awaitStatus(String release, int version, StatusCode code) {
        return await(60, release + " v" + version + " to be " + code, () -> client.status(release, version),
                info -> info.getStatus().getStatusCode() == code);
    }

    /** An upgrade or rollback is over when the new version is deployed and the old one is gone. */
    Info awaitReplaced(String release, int oldVersion, int newVersion) {
        awaitStatus(release, oldVersion, StatusCode.DELETED);
        return awaitStatus(release, newVersion, StatusCode.DEPLOYED);
    }

    /** For a release that just did something else: the server refuses while it is still busy with that. */
    static <T> T whenReady(Supplier<T> request) {
        return await(30, "the release to be ready", () -> {
            try {
                return Optional.ofNullable(request.get());
            }
            catch (SkipperException e) {
                if (!isBusy(e)) {
                    throw e;
                }
                return null;
            }
        }, answer -> answer != null).orElse(null);
    }

    static <T> T await(int seconds, String what, Supplier<T> ask, Predicate<T> done) {
        long end = System.nanoTime() + seconds * 1_000_000_000L;
        while (true) {
            T answer = ask.get();
            if (done.test(answer)) {
                return answer;
            }
            if (System.nanoTime() > end) {
                return fail("waited " + seconds + " s for " + what + ", last answer: " + show(answer));
            }
            pause(300);
        }
    }

    static void pause(long millis) {
        try {
            Thread.sleep(millis);
        }
        catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    private static String show(Object answer) {
        if (answer instanceof Info) {
            Info info = (Info) answer;
            return info.getDescription() + ", " + info.getStatus().getStatusCode() + ", "
                    + info.getStatus().getPlatformStatus();
        }
        return String.valueOf(answer);
    }

    Release upgrade(UpgradeRequest request) {
        return whenReady(() -> client.upgrade(request));
    }

    Release scale(String release, ScaleRequest request) {
        return whenReady(() -> client.scale(release, request));
    }

    void delete(String release, boolean withPackage) {
        whenReady(() -> {
            client.delete(release, withPackage);
            return null;
        });
    }

    // failures

    /** The exact type, not one of its subclasses: the client chooses by the name of the class in the answer. */
    static <T extends Throwable> T thrown(Class<T> type, Executable call) {
        Throwable thrown = failure(call);
        assertEquals(type, thrown.getClass(), () -> "message: " + thrown.getMessage());
        return type.cast(thrown);
    }

    private static Throwable failure(Executable call) {
        return await(30, "the release to be ready", () -> assertThrows(Throwable.class, call), t -> !isBusy(t));
    }

    static void busy(String action, Executable call) {
        assertEquals(BUSY + action, assertThrows(SkipperException.class, call).getMessage());
    }

    private static boolean isBusy(Throwable thrown) {
        return thrown instanceof SkipperException && thrown.getMessage().startsWith(BUSY);
    }

    /** A caller's mistake: 500 from the reference; from a better server a SkipperException or a 4xx, with the same sentence where there is one. */
    static void mistake(String message, Executable call) {
        Throwable thrown = failure(call);
        boolean mapped = thrown instanceof SkipperException;
        assertTrue(mapped || thrown instanceof HttpStatusCodeException, thrown.toString());
        assertTrue(!mapped || message == null || message.equals(thrown.getMessage()), thrown.getMessage());
    }

    static void refused(String message, Executable call) {
        assertEquals(message, thrown(SkipperException.class, call).getMessage());
    }

    static void notFound(String release, Executable call) {
        ReleaseNotFoundException thrown = thrown(ReleaseNotFoundException.class, call);
        assertEquals(release, thrown.getReleaseName());
        assertEquals("Release with the name [" + release + "] doesn't exist", thrown.getMessage());
    }

    // cleaning up

    @AfterAll
    void cleanUp() {
        releases.forEach(this::removeRelease);
        packages.forEach(this::removePackage);
    }

    /** Deletes until nothing is left to delete; a busy release is asked again. */
    private void removeRelease(String release) {
        if (client.history(release).stream().noneMatch(version -> version.getName().equals(release))) {
            return;
        }
        await(60, release + " to be removed", () -> {
            try {
                client.delete(release, false);
                return false;
            }
            catch (ReleaseNotFoundException e) {
                return true;
            }
            catch (SkipperException e) {
                return false;
            }
        }, gone -> gone);
    }

    private void removePackage(String name) {
        try {
            client.packageDelete(name);
        }
        catch (SkipperException e) {
            if (!e.getMessage().startsWith("Can not find a package named")) {
                throw e;
            }
        }
    }
}
