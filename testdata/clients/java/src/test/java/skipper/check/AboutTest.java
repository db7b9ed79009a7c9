package skipper.check;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

import org.springframework.cloud.skipper.domain.Dependency;
import org.springframework.cloud.skipper.domain.Template;
import org.springframework.cloud.skipper.domain.VersionInfo;

class AboutTest extends ClientCheck {

    @Test
    void infoNamesTheServer() {
        Dependency server = client.info().getVersionInfo().getServer();
        assertEquals(SERVER, server.getName());
        assertEquals(VERSION, server.getVersion());
        assertNull(server.getUrl());
    }

    @Test
    void infoNamesTheShell() {
        VersionInfo versions = client.info().getVersionInfo();
        assertEquals(SHELL, versions.getShell().getName());
        assertEquals(VERSION, versions.getShell().getVersion());
        assertNull(versions.getShell().getChecksumSha1());
        assertNull(versions.getShell().getChecksumSha256());
    }

    /** Comes from the library, not from the server. */
    @Test
    void genericTemplate() {
        Template template = client.getSpringCloudDeployerApplicationTemplate();
        assertTrue(template.getName().endsWith("generic-template.yml"), template.getName());
        assertTrue(template.getData().contains("SpringCloudDeployerApplication"), template.getData());
    }
}
