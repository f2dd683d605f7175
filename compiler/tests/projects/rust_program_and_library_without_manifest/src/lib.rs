pub const ONE: u64 = 1;
