package backend;

import com.google.gson.GsonBuilder;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Executors;

/** A protected route in plain Java. Settings come from the environment; ../README.md has them all. */
public final class Main {
    private static String setting(String name, String fallback) {
        return System.getenv().getOrDefault(name, fallback);
    }

    private static Duration seconds(String name, String fallback) {
        return Duration.ofSeconds(Long.parseLong(setting(name, fallback)));
    }

    private static void answer(HttpExchange exchange, int status, Map<String, String> body) throws IOException {
        byte[] json = new GsonBuilder().serializeNulls().create().toJson(body).getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "application/json; charset=utf-8");
        exchange.sendResponseHeaders(status, json.length);
        exchange.getResponseBody().write(json);
    }

    private static void refuse(HttpExchange exchange, String challenge, String detail) throws IOException {
        exchange.getResponseHeaders().set("WWW-Authenticate", challenge);
        answer(exchange, 401, Map.of("detail", detail));
    }

    /** Who asks, or null after the refusal was sent (RFC 6750, section 3). */
    private static Verifier.Claims signedIn(Verifier verifier, HttpExchange exchange) throws IOException {
        String header = exchange.getRequestHeaders().getFirst("Authorization");
        if (header == null || !header.regionMatches(true, 0, "Bearer ", 0, 7)) {
            refuse(exchange, "Bearer", "Not authenticated");
            return null;
        }
        try {
            return verifier.verify(header.substring(7).strip());
        } catch (Verifier.Refused refused) {
            // Why is nobody else's business.
            refuse(exchange, "Bearer error=\"invalid_token\"", "Invalid or expired token");
        } catch (Verifier.Unavailable unavailable) {
            exchange.getResponseHeaders().set("Retry-After", "1");
            answer(exchange, 503, Map.of("detail", "Try again"));
        }
        return null;
    }

    private static void hello(Verifier verifier, HttpExchange exchange) throws IOException {
        try (exchange) {
            Verifier.Claims user = signedIn(verifier, exchange);
            if (user == null) return;
            Map<String, String> body = new LinkedHashMap<>();
            body.put("user_id", user.sub());
            body.put("username", user.username());
            body.put("role", user.role());
            answer(exchange, 200, body);
        }
    }

    public static void main(String[] arguments) throws Exception {
        String issuer = setting("TACIT_ISSUER", "http://localhost:8080");
        String secrets = System.getenv("TACIT_SECRET_FILES");
        Keys keys = secrets == null
                ? new Keys.Published(URI.create(setting("TACIT_JWKS_URL", issuer + "/.well-known/jwks.json")))
                : Keys.ofSecrets(Arrays.stream(secrets.split(",")).map(Path::of).toList());
        var revocations = new Revocations(
                setting("TACIT_REVOCATIONS_URL", issuer + "/revocations"),
                System.getenv("TACIT_CLIENT_ID"),
                System.getenv("TACIT_CLIENT_SECRET"),
                seconds("TACIT_FEED_WAIT", "30"),
                seconds("TACIT_FEED_MAX_AGE", "60"),
                seconds("TACIT_FEED_KEEP", "1020"));
        var verifier = new Verifier(issuer, setting("TACIT_AUDIENCE", "tacit"), keys, revocations);

        int port = Integer.parseInt(setting("PORT", "9000"));
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
        server.setExecutor(Executors.newFixedThreadPool(8));
        server.createContext("/hello", exchange -> hello(verifier, exchange));
        server.start();
        System.out.println("listening on http://127.0.0.1:" + server.getAddress().getPort());
    }
}
