use proc_macro::TokenStream;

#[proc_macro]
pub fn paint(_: TokenStream) -> TokenStream {
    eprintln!("\x1b]0;owned\x07\x1b[31mred\x1b[0m again\0");
    TokenStream::new()
}
