//! The parsers of secrets and of the form of `/login`, held against mangled inputs: a short form of the fuzz target
//! `http_proofs`.

#[path = "../fuzz/src/proofs.rs"]
#[allow(
    unreachable_pub,
    reason = "the fuzz targets call it from another crate"
)]
mod fuzz;

use fuzz::proofs;

#[test]
fn mangled_secrets_and_log_ins_neither_panic_nor_lead_elsewhere() {
    let digits = "ab".repeat(32);
    let inputs = [
        format!("Authorization: Bearer smt_{digits}"),
        format!("Cookie: a=b; store-monitor=sms_{digits}; c"),
        format!("sml_{digits}/stores/7?as_of=x"),
        format!("csrf=x&token=smt_{digits}&next=%2Fstores%3Fq%3Da"),
        format!("Authorization: Bearer smt_{digits}\nAuthorization: Basic x"),
        "//evil.example".to_owned(),
        "/\\evil.example".to_owned(),
    ];
    for input in &inputs {
        proofs(input.as_bytes());
        for place in 0..input.len() {
            for byte in [
                b'\0', b'\n', b' ', b'%', b'&', b'/', b';', b'=', b'\\', 0xff,
            ] {
                let mut mangled = input.clone().into_bytes();
                mangled[place] = byte;
                proofs(&mangled);
                mangled.insert(place, byte);
                proofs(&mangled);
                proofs(&mangled[..place]);
            }
        }
    }
}
