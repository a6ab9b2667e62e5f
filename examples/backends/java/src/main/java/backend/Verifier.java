package backend;

import com.google.gson.Gson;
import com.google.gson.JsonElement;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.time.Instant;
import java.util.Base64;

/** Verifies Tacit's access tokens in this process: no request to Tacit for a request of yours. */
record Verifier(String issuer, String audience, Keys keys, Revocations revocations) {
    /** This token is not good: 401. */
    static final class Refused extends Exception {}

    /** Whether a token is good cannot be known right now: 503, never yes. */
    static final class Unavailable extends Exception {}

    private record Header(String alg, String typ, String kid, JsonElement crit) {}

    /** Of a user's token. Those that a client gets for itself have no sid and no ver, and are refused here. */
    record Claims(
            String iss, String aud, Long exp, Long nbf, String sub, String sid, Long ver, String username, String role) {}

    /** The claims of a good token of a user. */
    Claims verify(String token) throws Refused, Unavailable {
        try {
            String[] parts = token.split("\\.", -1);
            if (parts.length != 3) throw new Refused();
            Header header = decode(parts[0], Header.class);
            if (!"at+jwt".equals(header.typ()) || header.crit() != null || header.kid() == null) throw new Refused();
            Keys.Key key = keys.find(header.kid());
            // The signature first: before that nothing of the token can be believed.
            byte[] signed = (parts[0] + "." + parts[1]).getBytes(StandardCharsets.US_ASCII);
            byte[] signature = Base64.getUrlDecoder().decode(parts[2]);
            if (!key.algorithm().equals(header.alg()) || !key.verifies(signed, signature)) throw new Refused();
            Claims claims = decode(parts[1], Claims.class);
            long now = Instant.now().getEpochSecond();
            boolean isForHere = issuer.equals(claims.iss()) && audience.equals(claims.aud());
            boolean isNow = claims.exp() != null && now < claims.exp() && (claims.nbf() == null || now >= claims.nbf());
            boolean isOfUser = claims.sub() != null && claims.sid() != null && claims.ver() != null;
            if (!isForHere || !isNow || !isOfUser) throw new Refused();
            revocations.check(claims);
            return claims;
        } catch (GeneralSecurityException | RuntimeException error) {
            // Not base64url, not JSON, not a signature.
            throw new Refused();
        }
    }

    private static <T> T decode(String part, Class<T> type) throws Refused {
        String text = new String(Base64.getUrlDecoder().decode(part), StandardCharsets.UTF_8);
        T decoded = new Gson().fromJson(text, type);
        if (decoded == null) throw new Refused();
        return decoded;
    }
}
