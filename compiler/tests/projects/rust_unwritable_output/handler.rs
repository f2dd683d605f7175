use std::collections::BTreeMap;

pub fn handler(kind: String) -> Result<BTreeMap<(u8, u8), u8>, String> {
    if kind == "nul" {
        return Err("a\0b".to_owned());
    }
    Ok(BTreeMap::from([((1, 2), 3)]))
}
