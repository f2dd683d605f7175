macro_rules! loud {
    ($($name:ident)*) => { $(fn $name() { let unused_with_a_rather_long_name = 1; })* };
}

loud!(a b c d e f g h i j k l m n o p q r s t u v w x y z);

pub fn handler(_: ()) -> Result<(), String> {
    Ok(())
}
