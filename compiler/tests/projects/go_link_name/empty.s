// So that a function may lack its body.
