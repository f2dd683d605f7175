use proc_macro::TokenStream;

#[proc_macro]
pub fn answer(_: TokenStream) -> TokenStream {
    let host_file = std::fs::read_to_string("/etc/passwd").is_ok();
    let secrets = std::env::vars().any(|(name, _)| name.contains("SECRET") || name == "USER");
    format!("({host_file}, {secrets})").parse().unwrap()
}
