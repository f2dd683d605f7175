//! The vocabulary of the product: pure values, valid by construction, no IO.
