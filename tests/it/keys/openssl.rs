//! Keys that OpenSSL makes and reads.

use std::fs;
use std::process::Command;

use super::{pem_path, published, rotate, token_by, wait_published};
use crate::access_tokens::accepted;
use crate::app::{Home, Tacit};
use crate::command_line::{done, fails};

/// Runs `openssl` in a home's directory.
fn openssl(home: &Home, arguments: &[&str]) -> String {
    let output = Command::new("openssl").current_dir(home.directory.path()).args(arguments).output();
    let output = output.expect("openssl, which this test needs (Debian: apt-get install openssl)");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Imports a file of a home's directory; the key's id.
fn import(home: &Home, file: &str) -> String {
    done(home, &["keys", "import", file], "").split_whitespace().next().expect("an id").to_owned()
}

#[tokio::test]
async fn keys_that_openssl_made_sign() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let home = &tacit.home;
    openssl(home, &["genpkey", "-algorithm", "ed25519", "-out", "ed.pem"]);
    let p256 = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    openssl(home, &[p256.as_slice(), &["-out", "ec.pem"]].concat());
    // What older instructions say: the curve's parameters, and the key in the form of RFC 5915.
    openssl(home, &["ecparam", "-genkey", "-name", "prime256v1", "-out", "sec1.pem"]);
    // Version 2 of PKCS#8 (RFC 5958) has the public key along.
    let v2 = aws_lc_rs::signature::Ed25519KeyPair::generate().unwrap().to_pkcs8().unwrap();
    fs::write(home.directory.path().join("v2.pem"), pem::encode(&pem::Pem::new("PRIVATE KEY", v2.as_ref()))).unwrap();
    for (count, (file, alg)) in
        [("ed.pem", "EdDSA"), ("ec.pem", "ES256"), ("sec1.pem", "ES256"), ("v2.pem", "EdDSA")].iter().enumerate()
    {
        let kid = import(home, file);
        wait_published(&tacit, count + 1).await;
        rotate(home, alg);
        let token = token_by(&tacit, "ada", alg).await;
        assert!(accepted(&tacit, &token).await, "{file}");
        assert_eq!(published(&tacit).await[count]["kid"], kid.as_str());
        let again = fails(home, &["keys", "import", file], "", 1);
        assert!(again.contains("there already"), "{again}");
    }
}

#[test]
fn openssl_reads_what_is_generated() {
    let home = Home::new();
    for (alg, name) in [("EdDSA", "ED25519"), ("ES256", "prime256v1")] {
        let kid = super::generate(&home, alg);
        let path = pem_path(&home, &kid);
        let shown = openssl(&home, &["pkey", "-in", path.to_str().unwrap(), "-noout", "-text"]);
        assert!(shown.contains(name), "{shown}");
    }
}

#[test]
fn other_keys_are_refused_and_leave_nothing_behind() {
    let home = Home::new();
    let make = |file: &str, arguments: &[&str]| openssl(&home, &[arguments, &["-out", file]].concat());
    make("rsa.pem", &["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]);
    make("p384.pem", &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]);
    make("k256.pem", &["ecparam", "-genkey", "-name", "secp256k1"]);
    make("x25519.pem", &["genpkey", "-algorithm", "x25519"]);
    make("ed448.pem", &["genpkey", "-algorithm", "ed448"]);
    make("good.pem", &["genpkey", "-algorithm", "ed25519"]);
    make("public.pem", &["pkey", "-in", "good.pem", "-pubout"]);
    make("locked.pem", &["pkcs8", "-topk8", "-in", "good.pem", "-passout", "pass:secret"]);
    make("der.pem", &["pkey", "-in", "good.pem", "-outform", "DER"]);
    fs::write(home.directory.path().join("empty.pem"), "").unwrap();
    for file in ["rsa", "p384", "k256", "x25519", "ed448", "public", "locked", "der", "empty", "missing"] {
        fails(&home, &["keys", "import", &format!("{file}.pem")], "", 1);
    }
    assert!(!super::index_path(&home).exists());
    import(&home, "good.pem");
}
