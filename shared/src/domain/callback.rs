//! Where a caller wants to be told how a call ended. Which addresses that may be, `reach` says.

use std::{net::IpAddr, str::FromStr};

use url::{Host, Url};

use super::text_enum::text_enum;

text_enum!(
    /// How far the message about an execution's end is.
    CallbackStatus {
        /// Not delivered yet.
        Pending = "pending",
        /// The receiver has it.
        Delivered = "delivered",
        /// Given up, or the receiver wants no more.
        Failed = "failed",
    }
);

/// An absolute `http` or `https` URL without credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackUrl(Url);

/// Why a text is no callback URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallbackUrlError {
    /// Bounded, as it goes into a row.
    #[error("is longer than {} characters", CallbackUrl::MAX_CHARS)]
    TooLong,
    /// Not a URL with a scheme and a host.
    #[error("must be an absolute URL, as in 'https://example.com/hook'")]
    NotAbsolute,
    /// Nothing else is spoken.
    #[error("must begin with 'http://' or 'https://'")]
    Scheme,
    /// They would lie in rows and logs; the signature tells the receiver who sends.
    #[error("must not hold a user name or password")]
    Credentials,
}

impl CallbackUrl {
    /// Longest text.
    pub const MAX_CHARS: usize = 2048;

    /// The text as it is called.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The address, where the host is one and not a name.
    pub fn literal_address(&self) -> Option<IpAddr> {
        match self.0.host()? {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
        }
    }
}

impl FromStr for CallbackUrl {
    type Err = CallbackUrlError;

    fn from_str(text: &str) -> Result<Self, CallbackUrlError> {
        if text.len() > Self::MAX_CHARS {
            return Err(CallbackUrlError::TooLong);
        }
        let mut url = Url::parse(text).map_err(|_| CallbackUrlError::NotAbsolute)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(CallbackUrlError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(CallbackUrlError::Credentials);
        }
        if url.host().is_none() {
            return Err(CallbackUrlError::NotAbsolute);
        }
        url.set_fragment(None);
        Ok(Self(url))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::domain::Reach;

    #[test]
    fn only_absolute_web_addresses_without_credentials_are_taken() {
        let cases = [
            ("", CallbackUrlError::NotAbsolute),
            ("/hook", CallbackUrlError::NotAbsolute),
            ("example.com/hook", CallbackUrlError::NotAbsolute),
            ("http://", CallbackUrlError::NotAbsolute),
            ("ftp://example.com/", CallbackUrlError::Scheme),
            ("file:///etc/passwd", CallbackUrlError::Scheme),
            ("gopher://example.com/", CallbackUrlError::Scheme),
            ("https://user@example.com/", CallbackUrlError::Credentials),
            ("https://user:secret@example.com/", CallbackUrlError::Credentials),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<CallbackUrl>(), Err(error), "{text}");
        }
        let long = format!("https://example.com/{}", "x".repeat(CallbackUrl::MAX_CHARS));
        assert_eq!(long.parse::<CallbackUrl>(), Err(CallbackUrlError::TooLong));
        let good: CallbackUrl = "https://example.com/hook?a=1#part".parse().unwrap();
        assert_eq!(good.as_str(), "https://example.com/hook?a=1");
    }

    #[test]
    fn an_address_in_disguise_is_still_seen() {
        for text in ["http://2130706433/", "http://0x7f.1/", "http://127.1/", "http://0177.0.0.1/"]
        {
            let url: CallbackUrl = text.parse().unwrap();
            assert_eq!(url.literal_address(), Some(Ipv4Addr::LOCALHOST.into()), "{text}");
        }
        let url: CallbackUrl = "http://[::ffff:169.254.169.254]/".parse().unwrap();
        assert!(!Reach::default().includes(url.literal_address().unwrap()));
    }
}
