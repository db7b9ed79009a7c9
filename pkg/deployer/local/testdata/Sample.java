import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;

/** Listens on the port that SERVER_PORT names, and says so. */
public class Sample {
    public static void main(String[] args) throws Exception {
        int port = Integer.parseInt(System.getenv("SERVER_PORT"));
        HttpServer server = HttpServer.create(new InetSocketAddress(port), 0);
        server.start();
        System.out.println("heap " + Runtime.getRuntime().maxMemory() / (1024 * 1024) + " listening on " + port);
    }
}
