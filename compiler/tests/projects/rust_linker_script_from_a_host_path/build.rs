fn main() {
    println!("cargo:rustc-link-arg=-T/etc/passwd");
}
