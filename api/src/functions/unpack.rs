//! Takes a stranger's zip archive apart: strict, in memory, and bounded before it is read.
//!
//! Everything that two programs could understand differently is refused: two names for one entry,
//! two entries on the same bytes, sizes that are not true. Nothing is ever written to a disk.

use std::io::{self, Read};

use flate2::bufread::DeflateDecoder;
use rawzip::{CompressionMethod, ZipArchive, ZipFileHeaderRecord, ZipSliceArchive};
use shared::domain::{SourceError, SourceLimits};

/// Source code packs to a third or a tenth. More than this, once it matters, is a bomb.
const MAX_RATIO: usize = 100;
/// Below this a ratio says nothing: a file of blanks packs to almost nothing.
const RATIO_MATTERS_BYTES: usize = 1 << 20;
/// Folders have entries too. For each file that is allowed, this many entries are.
const ENTRIES_PER_FILE: usize = 4;
/// Of the name in a message.
const SHOWN_CHARS: usize = 64;

/// Why an archive is not taken. Reads after the name of the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum UnpackError {
    #[error("is not a zip archive, or a damaged one")]
    NotAnArchive,
    #[error("has {entries} entries; at most {max_entries} are allowed")]
    TooManyEntries { entries: usize, max_entries: usize },
    #[error("{0}")]
    Source(#[from] SourceError),
    #[error("packs {unpacked_bytes} bytes into {packed_bytes}: more than {MAX_RATIO} to 1")]
    Ratio { unpacked_bytes: usize, packed_bytes: usize },
    #[error("has an entry '{name}' that {reason}")]
    Entry { name: String, reason: &'static str },
    #[error("has an entry '{name}' that is packed by a method we do not read: {method}")]
    Method { name: String, method: String },
}

/// One file, as far as its headers tell.
struct Entry<'a> {
    name: String,
    method: CompressionMethod,
    data: rawzip::ZipSliceEntry<'a>,
    declared_bytes: usize,
}

/// The files of an archive, in its order: names as text, sizes true and within the limits. Whether
/// the names make a source is for the source to say.
pub(super) fn unpack(
    archive: &[u8],
    limits: SourceLimits,
) -> Result<Vec<(String, Vec<u8>)>, UnpackError> {
    let zip = ZipArchive::from_slice(archive).map_err(|_| UnpackError::NotAnArchive)?;
    let entries = read_headers(&zip, limits)?;
    refuse_overlaps(&entries)?;
    let declared_bytes =
        entries.iter().map(|entry| entry.declared_bytes).fold(0, usize::saturating_add);
    limits.check(entries.len(), declared_bytes)?;
    if declared_bytes > RATIO_MATTERS_BYTES && declared_bytes / MAX_RATIO > archive.len() {
        let packed_bytes = archive.len();
        return Err(UnpackError::Ratio { unpacked_bytes: declared_bytes, packed_bytes });
    }
    let sources = entries.iter().filter(|entry| !is_mac_metadata(&entry.name));
    sources.map(|entry| Ok((entry.name.clone(), inflate(entry)?))).collect()
}

/// What macOS adds to an archive: `__MACOSX/`, and a `._` file beside each of the author's.
fn is_mac_metadata(name: &str) -> bool {
    name.starts_with("__MACOSX/") || name.rsplit('/').next().is_some_and(|it| it.starts_with("._"))
}

fn read_headers<'a>(
    zip: &'a ZipSliceArchive<&[u8]>,
    limits: SourceLimits,
) -> Result<Vec<Entry<'a>>, UnpackError> {
    let max_entries = limits.files.saturating_mul(ENTRIES_PER_FILE);
    let said = usize::try_from(zip.entries_hint()).unwrap_or(usize::MAX);
    let mut found = 0;
    let mut entries = Vec::new();
    let mut headers = zip.entries();
    while let Some(header) = headers.next_entry().map_err(|_| UnpackError::NotAnArchive)? {
        found += 1;
        if found > max_entries {
            let entries = said.max(found);
            return Err(UnpackError::TooManyEntries { entries, max_entries });
        }
        entries.extend(read_header(zip, &header)?);
    }
    if found == said { Ok(entries) } else { Err(UnpackError::NotAnArchive) }
}

/// None for a folder.
fn read_header<'a>(
    zip: &'a ZipSliceArchive<&[u8]>,
    header: &ZipFileHeaderRecord<'_>,
) -> Result<Option<Entry<'a>>, UnpackError> {
    let raw_name = header.file_path().as_bytes();
    let refuse = |reason| {
        let name = String::from_utf8_lossy(raw_name).chars().take(SHOWN_CHARS).collect();
        Err(UnpackError::Entry { name, reason })
    };
    let Ok(name) = std::str::from_utf8(raw_name) else { return refuse("has a name not in UTF-8") };
    let is_folder = name.ends_with('/');
    if let Some(reason) = special_kind(header.external_attributes(), is_folder) {
        return refuse(reason);
    }
    if header.flags().is_encrypted() {
        return refuse("is encrypted");
    }
    let Ok(data) = zip.get_entry(header.wayfinder()) else {
        return refuse("lies outside of the archive");
    };
    if data.local_header().file_path().as_bytes() != raw_name {
        return refuse("has another name where its content lies");
    }
    let declared_bytes = usize::try_from(header.uncompressed_size_hint()).unwrap_or(usize::MAX);
    if !is_folder {
        let (name, method) = (name.to_owned(), header.compression_method());
        return Ok(Some(Entry { name, method, data, declared_bytes }));
    }
    SourceError::check_path(&name[..name.len() - 1])?;
    if declared_bytes == 0 { Ok(None) } else { refuse("is a folder with content") }
}

/// The upper half of the attributes is a Unix mode. It counts whatever system the archive claims to
/// come from: some program would believe it.
fn special_kind(attributes: u32, is_folder: bool) -> Option<&'static str> {
    match (attributes >> 16) & 0o170_000 {
        0 => None,
        0o100_000 if !is_folder => None,
        0o040_000 if is_folder => None,
        0o120_000 => Some("is a symbolic link: send files"),
        0o020_000 | 0o060_000 => Some("is a device"),
        0o010_000 => Some("is a named pipe"),
        0o140_000 => Some("is a socket"),
        _ => Some("is neither a file nor a folder"),
    }
}

/// Entries that share their bytes unpack to far more than any ratio shows.
fn refuse_overlaps(entries: &[Entry<'_>]) -> Result<(), UnpackError> {
    let mut ranges: Vec<_> =
        entries.iter().map(|entry| (entry.data.compressed_data_range(), &entry.name)).collect();
    ranges.sort_unstable();
    let overlap = ranges.windows(2).find(|pair| pair[0].0.1 > pair[1].0.0);
    overlap.map_or(Ok(()), |pair| {
        let name = pair[1].1.chars().take(SHOWN_CHARS).collect();
        Err(UnpackError::Entry { name, reason: "shares its bytes with another one" })
    })
}

fn inflate(entry: &Entry<'_>) -> Result<Vec<u8>, UnpackError> {
    let packed = entry.data.data();
    let read = match entry.method {
        CompressionMethod::STORE => verified(entry, packed),
        CompressionMethod::DEFLATE => verified(entry, DeflateDecoder::new(packed)),
        other => {
            let (name, method) = (shown(entry), other.to_string());
            return Err(UnpackError::Method { name, method });
        }
    };
    read.map_err(|_| UnpackError::Entry {
        name: shown(entry),
        reason: "is damaged: its content has another size or checksum than it says",
    })
}

/// Reads one byte more than was declared at most, so that a lie costs nothing.
fn verified(entry: &Entry<'_>, reader: impl Read) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let most = (entry.declared_bytes as u64).saturating_add(1);
    entry.data.verifying_reader(reader).take(most).read_to_end(&mut content)?;
    if content.len() == entry.declared_bytes {
        return Ok(content);
    }
    Err(io::ErrorKind::InvalidData.into())
}

fn shown(entry: &Entry<'_>) -> String {
    entry.name.chars().take(SHOWN_CHARS).collect()
}
