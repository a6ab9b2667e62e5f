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
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What Tacit ended before its time: a thread asks /revocations, and Tacit answers as soon as there is news. */
final class Revocations {
    private record Session(String sid) {}

    private record User(String sub, long ver) {}

    private record Feed(List<Session> sessions, List<User> users) {}

    private record Change(long ver, long listed) {}

    /** Sessions with the moment at which each was last listed, and users. */
    private record Heard(long at, Map<String, Long> sessions, Map<String, Change> users) {}

    /** After news. Of several replicas one has it up to a second before the others, and each would answer at once. */
    private static final long PAUSE_MILLIS = 250;

    private final HttpClient http = HttpClient.newHttpClient();
    private final URI uri;
    private final String basic;
    private final Duration wait;
    private final Duration maxAge;
    private final Duration keep;
    private volatile Heard heard;
    private String etag = "\"\"";

    Revocations(String url, String clientId, String clientSecret, Duration wait, Duration maxAge, Duration keep) {
        this.uri = URI.create(url + "?wait=" + wait.toSeconds());
        var pair = (clientId + ":" + clientSecret).getBytes(StandardCharsets.UTF_8);
        this.basic = "Basic " + Base64.getEncoder().encodeToString(pair);
        this.wait = wait;
        this.maxAge = maxAge;
        this.keep = keep;
        Thread follower = new Thread(this::follow, "revocations");
        follower.setDaemon(true);
        follower.start();
    }

    private void follow() {
        try {
            while (true) {
                try {
                    if (ask()) Thread.sleep(PAUSE_MILLIS);
                } catch (IOException | RuntimeException error) {
                    Thread.sleep(1_000);
                }
            }
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
        }
    }

    /** Whether there was news. */
    private boolean ask() throws IOException, InterruptedException {
        var request = HttpRequest.newBuilder(uri)
                .header("Authorization", basic)
                .header("If-None-Match", etag)
                .timeout(wait.plusSeconds(10))
                .build();
        var answer = http.send(request, HttpResponse.BodyHandlers.ofString());
        switch (answer.statusCode()) {
            case 200 -> {
                add(new Gson().fromJson(answer.body(), Feed.class));
                etag = answer.headers().firstValue("ETag").orElse("\"\"");
                return true;
            }
            case 304 -> {
                heard = new Heard(System.nanoTime(), heard.sessions(), heard.users());
                return false;
            }
            default -> throw new IOException(uri + " answers " + answer.statusCode());
        }
    }

    /** What is not listed any more stays for a while: this may be the answer of a replica that knows less. */
    private void add(Feed feed) {
        long now = System.nanoTime();
        Map<String, Long> sessions = new HashMap<>();
        Map<String, Change> users = new HashMap<>();
        if (heard != null) {
            sessions.putAll(heard.sessions());
            users.putAll(heard.users());
        }
        sessions.values().removeIf(listed -> now - listed >= keep.toNanos());
        users.values().removeIf(change -> now - change.listed() >= keep.toNanos());
        for (Session session : feed.sessions()) sessions.put(session.sid(), now);
        for (User user : feed.users()) {
            users.merge(user.sub(), new Change(user.ver(), now), (a, b) -> new Change(Math.max(a.ver(), b.ver()), now));
        }
        heard = new Heard(now, sessions, users);
    }

    void check(Verifier.Claims claims) throws Verifier.Refused, Verifier.Unavailable {
        Heard now = heard;
        // Tacit is away: what was heard last counts for a while, and then nobody is let in.
        if (now == null || System.nanoTime() - now.at() > maxAge.toNanos()) throw new Verifier.Unavailable();
        // A version is raised when a user is disabled, gets another role or another name.
        Change change = now.users().get(claims.sub());
        boolean isStale = change != null && claims.ver() < change.ver();
        if (isStale || now.sessions().containsKey(claims.sid())) throw new Verifier.Refused();
    }
}
