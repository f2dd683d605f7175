//! A zip archive written byte by byte, so that it can lie in every field.

use std::io::Write;

use flate2::{Compression, Crc, write::DeflateEncoder};

/// One entry, and what its headers say about it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) name: Vec<u8>,
    /// In front of the content, when it differs.
    pub(crate) local_name: Option<Vec<u8>>,
    pub(crate) content: Vec<u8>,
    pub(crate) declared_bytes: Option<u32>,
    /// Type and permissions, as Unix has them.
    pub(crate) mode: u32,
    pub(crate) flags: u16,
    pub(crate) method: u16,
    /// Lies where the entry before it lies.
    pub(crate) shares_bytes: bool,
}

pub(crate) fn file(name: impl Into<Vec<u8>>, content: impl Into<Vec<u8>>) -> Entry {
    Entry {
        name: name.into(),
        local_name: None,
        content: content.into(),
        declared_bytes: None,
        mode: 0o100_644,
        flags: 0,
        method: 8,
        shares_bytes: false,
    }
}

/// The archive. `declared_entries` differs from their number in a lie.
pub(crate) fn archive(entries: &[Entry], declared_entries: Option<u16>) -> Vec<u8> {
    let (mut data, mut directory) = (Vec::new(), Vec::new());
    let mut offset = 0;
    for entry in entries {
        let packed =
            if entry.method == 8 { deflated(&entry.content) } else { entry.content.clone() };
        let about = describe(entry, packed.len());
        if !entry.shares_bytes {
            offset = data.len() as u32;
            let name = entry.local_name.as_ref().unwrap_or(&entry.name);
            data.extend(b"PK\x03\x04\x14\x00");
            data.extend(&about);
            data.extend((name.len() as u16).to_le_bytes());
            data.extend([0; 2]);
            data.extend(name);
            data.extend(&packed);
        }
        // Made on Unix, version 2.0.
        directory.extend(b"PK\x01\x02\x14\x03\x14\x00");
        directory.extend(&about);
        directory.extend((entry.name.len() as u16).to_le_bytes());
        directory.extend([0; 8]);
        directory.extend((entry.mode << 16).to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(&entry.name);
    }
    let count = declared_entries.unwrap_or(entries.len() as u16).to_le_bytes();
    let end = [directory.len() as u32, data.len() as u32].map(u32::to_le_bytes).concat();
    let tail = [b"PK\x05\x06\0\0\0\0".as_slice(), &count, &count, &end, &[0; 2]].concat();
    [data, directory, tail].concat()
}

/// What both headers of an entry have in common: flags to sizes.
fn describe(entry: &Entry, packed_bytes: usize) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(&entry.content);
    let mut about = Vec::new();
    about.extend(entry.flags.to_le_bytes());
    about.extend(entry.method.to_le_bytes());
    about.extend([0; 4]);
    about.extend(crc.sum().to_le_bytes());
    about.extend((packed_bytes as u32).to_le_bytes());
    about.extend(entry.declared_bytes.unwrap_or(entry.content.len() as u32).to_le_bytes());
    about
}

fn deflated(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}
