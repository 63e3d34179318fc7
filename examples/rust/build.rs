//! Asks pkg-config where the libraries are, without a crate for it.
use std::process::Command;

fn main() {
    let output = Command::new("pkg-config")
        .args(["--libs", "loratune-cl"])
        .output()
        .expect("pkg-config cannot be run");
    assert!(output.status.success(), "pkg-config knows no loratune-cl");
    for word in String::from_utf8_lossy(&output.stdout).split_whitespace() {
        if let Some(folder) = word.strip_prefix("-L") {
            println!("cargo:rustc-link-search=native={folder}");
        } else if let Some(library) = word.strip_prefix("-l") {
            println!("cargo:rustc-link-lib=dylib={library}");
        }
    }
    println!("cargo:rerun-if-changed=build.rs");
}
