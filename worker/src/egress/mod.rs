//! Lets functions with egress out: to public TCP services and a resolver, and to nothing else.
//!
//! A function's connections end in its slot, at a socket that this room holds. What passes is carried
//! byte by byte over a connection of the worker's own, opened after the address was checked; nothing
//! a function sends is ever looked at.

mod gate;
mod guard;
mod image;
mod relay;
mod resolver;

pub use image::Egress;

pub(crate) use image::CERTIFICATES_VARIABLE;
