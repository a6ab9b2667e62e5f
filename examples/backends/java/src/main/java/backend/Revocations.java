package backend;

import com.google.gson.Gson;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/** What Tacit ended before its time: a thread asks /revocations, and Tacit answers as soon as there is news. */
final class Revocations {
    private record Session(String sid) {}

    private record User(String sub, long ver) {}

    private record Feed(List<Session> sessions, List<User> users) {}

    private record Heard(long at, Set<String> sessions, Map<String, Long> users) {}

    private final HttpClient http = HttpClient.newHttpClient();
    private final URI uri;
    private final String basic;
    private final Duration wait;
    private final Duration maxAge;
    private volatile Heard heard;
    private String etag = "\"\"";

    Revocations(String url, String clientId, String clientSecret, Duration wait, Duration maxAge) {
        this.uri = URI.create(url + "?wait=" + wait.toSeconds());
        var pair = (clientId + ":" + clientSecret).getBytes(StandardCharsets.UTF_8);
        this.basic = "Basic " + Base64.getEncoder().encodeToString(pair);
        this.wait = wait;
        this.maxAge = maxAge;
        Thread follower = new Thread(this::follow, "revocations");
        follower.setDaemon(true);
        follower.start();
    }

    private void follow() {
        try {
            while (true) {
                try {
                    ask();
                } catch (IOException | RuntimeException error) {
                    Thread.sleep(1_000);
                }
            }
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
        }
    }

    private void ask() throws IOException, InterruptedException {
        var request = HttpRequest.newBuilder(uri)
                .header("Authorization", basic)
                .header("If-None-Match", etag)
                .timeout(wait.plusSeconds(10))
                .build();
        var answer = http.send(request, HttpResponse.BodyHandlers.ofString());
        switch (answer.statusCode()) {
            case 200 -> {
                Feed feed = new Gson().fromJson(answer.body(), Feed.class);
                var sessions = feed.sessions().stream().map(Session::sid).collect(Collectors.toSet());
                var users = feed.users().stream().collect(Collectors.toMap(User::sub, User::ver));
                heard = new Heard(System.nanoTime(), sessions, users);
                etag = answer.headers().firstValue("ETag").orElse("\"\"");
            }
            case 304 -> heard = new Heard(System.nanoTime(), heard.sessions(), heard.users());
            default -> throw new IOException(uri + " answers " + answer.statusCode());
        }
    }

    void check(Verifier.Claims claims) throws Verifier.Refused, Verifier.Unavailable {
        Heard now = heard;
        // Tacit is away: what was heard last counts for a while, and then nobody is let in.
        if (now == null || System.nanoTime() - now.at() > maxAge.toNanos()) throw new Verifier.Unavailable();
        // A version is raised when a user is disabled, gets another role or another name.
        boolean isStale = claims.ver() < now.users().getOrDefault(claims.sub(), 0L);
        if (isStale || now.sessions().contains(claims.sid())) throw new Verifier.Refused();
    }
}
