//! Writes the Swift, Kotlin and Python of the bindings from the built library: UniFFI's own command, of the very
//! version that the library was built with. `bindings/generate` calls it.

fn main() {
    uniffi::uniffi_bindgen_main();
}
