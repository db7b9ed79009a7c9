package skipper.check;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;

import com.fasterxml.jackson.databind.ObjectMapper;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

import org.springframework.boot.autoconfigure.http.HttpMessageConvertersAutoConfiguration;
import org.springframework.boot.autoconfigure.jackson.JacksonAutoConfiguration;
import org.springframework.boot.autoconfigure.web.client.RestTemplateAutoConfiguration;
import org.springframework.cloud.skipper.client.DefaultSkipperClient;
import org.springframework.cloud.skipper.client.SkipperClient;
import org.springframework.cloud.skipper.client.SkipperClientConfiguration;
import org.springframework.cloud.skipper.domain.CancelRequest;
import org.springframework.cloud.skipper.domain.StatusCode;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.env.MapPropertySource;
import org.springframework.hateoas.config.EnableHypermediaSupport;
import org.springframework.hateoas.config.EnableHypermediaSupport.HypermediaType;
import org.springframework.http.HttpStatus;
import org.springframework.web.client.HttpClientErrorException;

/** The ways in which applications build the client; they differ in HTTP library and Accept headers. */
class ClientSetupTest extends ClientCheck {

    @Configuration
    @EnableHypermediaSupport(type = HypermediaType.HAL)
    static class WithHal {
    }

    private String pkg;

    private String release;

    @BeforeAll
    void installOne() {
        pkg = newPackage("hello-1.0.0");
        release = newRelease("setup");
        install(pkg, "1.0.0", release, "");
        awaitRunning(release);
    }

    @Test
    void plainConstructor() {
        readAll(new DefaultSkipperClient(URI));
    }

    @Test
    void plainConstructorHasPlainErrors() throws Exception {
        String name = unique("none");
        HttpClientErrorException thrown = thrown(HttpClientErrorException.NotFound.class,
                () -> new DefaultSkipperClient(URI).status(name));
        assertEquals(HttpStatus.NOT_FOUND, thrown.getStatusCode());
        Map<?, ?> body = new ObjectMapper().readValue(thrown.getResponseBodyAsString(), Map.class);
        assertEquals(404, body.get("status"));
        assertEquals("Not Found", body.get("error"));
        assertEquals("org.springframework.cloud.skipper.ReleaseNotFoundException", body.get("exception"));
        assertEquals("Release with the name [" + name + "] doesn't exist", body.get("message"));
        assertEquals("/api/release/status/" + name, body.get("path"));
        assertEquals(name, body.get("releaseName"));
    }

    @Test
    void librarysConfiguration() {
        withContext(context -> {
            readAll(context.getBean(SkipperClient.class));
            String name = unique("none");
            notFound(name, () -> context.getBean(SkipperClient.class).status(name));
        });
    }

    /** As in the shell: models are asked for with application/hal+json as well. */
    @Test
    void librarysConfigurationWithHal() {
        withContext(context -> {
            readAll(context.getBean(SkipperClient.class));
            String name = unique("none");
            notFound(name, () -> context.getBean(SkipperClient.class).manifest(name));
        }, WithHal.class);
    }

    private void readAll(SkipperClient other) {
        assertEquals(VERSION, other.info().getVersionInfo().getServer().getVersion());
        assertTrue(other.listRepositories().stream().anyMatch(r -> r.getName().equals("local")));
        assertTrue(other.listDeployers().stream().anyMatch(d -> d.getName().equals(PLATFORM)));
        assertTrue(packageNames(other.search(null, false)).contains(pkg));
        assertEquals(1, other.search(pkg, true).size());
        assertEquals(1, other.list(release).size());
        assertEquals(1, other.history(release).size());
        assertEquals(StatusCode.DEPLOYED, other.status(release).getStatus().getStatusCode());
        assertEquals("Install complete", other.statuses(release).get(release).getDescription());
        assertFalse(other.states(release).get(release).isEmpty());
        assertFalse(other.getLog(release).getLogs().isEmpty());
        assertEquals(1, apps(other.manifest(release)).size());
        assertFalse(other.cancel(new CancelRequest(release)).getAccepted());
    }

    private interface Use {
        void with(AnnotationConfigApplicationContext context);
    }

    private static void withContext(Use use, Class<?>... more) {
        try (AnnotationConfigApplicationContext context = new AnnotationConfigApplicationContext()) {
            context.getEnvironment().getPropertySources().addFirst(
                    new MapPropertySource("test", Map.of("spring.cloud.skipper.client.serverUri", URI)));
            context.register(JacksonAutoConfiguration.class, HttpMessageConvertersAutoConfiguration.class,
                    RestTemplateAutoConfiguration.class, SkipperClientConfiguration.class);
            for (Class<?> configuration : more) {
                context.register(configuration);
            }
            context.refresh();
            use.with(context);
        }
    }
}
