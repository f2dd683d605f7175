//! A zip archive of a source.

use std::{collections::BTreeMap, io::Write};

use flate2::{Compression, write::DeflateEncoder};
use rawzip::{CompressionMethod, ZipArchiveWriter};

use crate::failure::Failure;

/// Packs contents by path.
pub(super) fn pack(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, Failure> {
    let failed = |error: rawzip::Error| Failure::usage(format!("cannot pack the source: {error}"));
    let mut packed = Vec::new();
    let mut archive = ZipArchiveWriter::new(&mut packed);
    for (path, content) in files {
        let file = archive.new_file(path.as_str()).compression_method(CompressionMethod::DEFLATE);
        let (mut entry, config) = file.start().map_err(failed)?;
        let deflated = DeflateEncoder::new(&mut entry, Compression::default());
        let mut writer = config.wrap(deflated);
        writer.write_all(content)?;
        let (deflated, ending) = writer.finish().map_err(failed)?;
        deflated.finish()?;
        entry.finish(ending).map_err(failed)?;
    }
    archive.finish().map_err(failed)?;
    Ok(packed)
}
