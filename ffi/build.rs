//! Tells the linker what a shared library on Unix needs to be told.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let os = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    // cargo-c names the library by itself.
    if os != "linux" || env::var_os("CARGO_C_CARGO").is_some() {
        return;
    }
    let (major, minor) = (env::var("CARGO_PKG_VERSION_MAJOR").unwrap_or_default(), env::var("CARGO_PKG_VERSION_MINOR").unwrap_or_default());
    let version = if major == "0" { format!("0.{minor}") } else { major };
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,liborchflow.so.{version}");
    // Thread-locals and a handler of fork point into the library: it stays where it is, also after dlclose.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
