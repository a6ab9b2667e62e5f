package backend;

import com.google.gson.Gson;
import java.io.IOException;
import java.math.BigInteger;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.security.spec.ECPoint;
import java.security.spec.ECPublicKeySpec;
import java.security.spec.EdECPoint;
import java.security.spec.EdECPublicKeySpec;
import java.security.spec.NamedParameterSpec;
import java.time.Duration;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** The keys that verify tokens, by the name that a token's header gives. */
interface Keys {
    /** A key, and the one algorithm that it is for: a token cannot choose another. */
    interface Key {
        String algorithm();

        boolean verifies(byte[] signed, byte[] signature) throws GeneralSecurityException;
    }

    Key find(String kid) throws Verifier.Refused, Verifier.Unavailable;

    /** HS256: the secrets that Tacit signs and verifies with. Whoever has one can also make tokens. */
    static Keys ofSecrets(List<Path> paths) throws IOException, GeneralSecurityException {
        Map<String, Key> keys = new HashMap<>();
        for (Path path : paths) {
            var secret = new Secret(Files.readString(path).strip().getBytes(StandardCharsets.UTF_8));
            // Tacit names the key of a token in its header, by this.
            var digest = secret.mac("tacit kid".getBytes(StandardCharsets.UTF_8));
            keys.put(HexFormat.of().formatHex(digest).substring(0, 16), secret);
        }
        return kid -> {
            Key key = keys.get(kid);
            if (key == null) throw new Verifier.Refused();
            return key;
        };
    }

    record Secret(byte[] bytes) implements Key {
        public String algorithm() {
            return "HS256";
        }

        byte[] mac(byte[] message) throws GeneralSecurityException {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(bytes, "HmacSHA256"));
            return mac.doFinal(message);
        }

        public boolean verifies(byte[] signed, byte[] signature) throws GeneralSecurityException {
            return MessageDigest.isEqual(mac(signed), signature);
        }
    }

    record Public(String algorithm, String signing, PublicKey key) implements Key {
        public boolean verifies(byte[] signed, byte[] signature) throws GeneralSecurityException {
            Signature verifying = Signature.getInstance(signing);
            verifying.initVerify(key);
            verifying.update(signed);
            return verifying.verify(signature);
        }
    }

    /**
     * EdDSA and ES256: the public keys at /.well-known/jwks.json. They verify, and cannot make a token.
     *
     * <p>They are fetched anew every five minutes, so that a retired key is forgotten, and for an unknown key at once, but
     * only once a second: anybody can name unknown keys.
     */
    final class Published implements Keys {
        private record Jwk(String kid, String alg, String crv, String x, String y) {}

        private record JwkSet(List<Jwk> keys) {}

        private static final Duration MAX_AGE = Duration.ofMinutes(5);
        private static final Duration COOLDOWN = Duration.ofSeconds(1);

        private final HttpClient http = HttpClient.newHttpClient();
        private final URI uri;
        private Map<String, Key> keys = Map.of();
        private Long fetched;
        private Long tried;
        private boolean failed;

        Published(URI uri) {
            this.uri = uri;
        }

        @Override
        public synchronized Key find(String kid) throws Verifier.Refused, Verifier.Unavailable {
            boolean wanted = !keys.containsKey(kid) || isOlder(fetched, MAX_AGE);
            if (wanted && isOlder(tried, COOLDOWN)) {
                tried = System.nanoTime();
                try {
                    keys = fetch();
                    fetched = tried;
                    failed = false;
                } catch (IOException | GeneralSecurityException | RuntimeException error) {
                    failed = true; // those that are known stay
                } catch (InterruptedException error) {
                    Thread.currentThread().interrupt();
                    failed = true;
                }
            }
            Key key = keys.get(kid);
            if (key != null) return key;
            if (failed) throw new Verifier.Unavailable();
            throw new Verifier.Refused();
        }

        private static boolean isOlder(Long moment, Duration age) {
            return moment == null || System.nanoTime() - moment > age.toNanos();
        }

        private Map<String, Key> fetch() throws IOException, InterruptedException, GeneralSecurityException {
            var request = HttpRequest.newBuilder(uri).timeout(Duration.ofSeconds(5)).build();
            var answer = http.send(request, HttpResponse.BodyHandlers.ofString());
            if (answer.statusCode() != 200) throw new IOException(uri + " answers " + answer.statusCode());
            Map<String, Key> found = new HashMap<>();
            for (Jwk jwk : new Gson().fromJson(answer.body(), JwkSet.class).keys()) {
                if ("EdDSA".equals(jwk.alg()) && "Ed25519".equals(jwk.crv())) {
                    found.put(jwk.kid(), new Public("EdDSA", "Ed25519", ed25519(bytes(jwk.x()))));
                } else if ("ES256".equals(jwk.alg()) && "P-256".equals(jwk.crv())) {
                    var point = new ECPoint(new BigInteger(1, bytes(jwk.x())), new BigInteger(1, bytes(jwk.y())));
                    found.put(jwk.kid(), new Public("ES256", "SHA256withECDSAinP1363Format", p256(point)));
                }
            }
            return found;
        }

        private static byte[] bytes(String text) {
            return Base64.getUrlDecoder().decode(text);
        }

        /** RFC 8032, section 5.1.2: the y coordinate, least byte first, and the lowest bit of x on top. */
        private static PublicKey ed25519(byte[] x) throws GeneralSecurityException {
            byte[] bytes = Arrays.copyOf(x, x.length);
            for (int i = 0; i < bytes.length / 2; i++) {
                byte swapped = bytes[i];
                bytes[i] = bytes[bytes.length - 1 - i];
                bytes[bytes.length - 1 - i] = swapped;
            }
            boolean isOdd = (bytes[0] & 0x80) != 0;
            bytes[0] &= 0x7f;
            var point = new EdECPoint(isOdd, new BigInteger(1, bytes));
            return KeyFactory.getInstance("Ed25519").generatePublic(new EdECPublicKeySpec(NamedParameterSpec.ED25519, point));
        }

        private static PublicKey p256(ECPoint point) throws GeneralSecurityException {
            AlgorithmParameters curve = AlgorithmParameters.getInstance("EC");
            curve.init(new ECGenParameterSpec("secp256r1"));
            var spec = new ECPublicKeySpec(point, curve.getParameterSpec(ECParameterSpec.class));
            return KeyFactory.getInstance("EC").generatePublic(spec);
        }
    }
}
