//! How far back the numbers of a function reach, and in what steps.

use std::time::Duration;

use super::text_enum::text_enum;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

text_enum!(
    /// The time that numbers are about, up to now.
    Window {
        Hour = "1h",
        SixHours = "6h",
        Day = "24h",
        Week = "7d",
        Month = "30d",
    }
);

impl Window {
    /// How long one step of its series is: 60 to 100 steps, as many points as a small chart shows.
    pub const fn step(self) -> Duration {
        Duration::from_secs(match self {
            Self::Hour => MINUTE,
            Self::SixHours => 5 * MINUTE,
            Self::Day => 15 * MINUTE,
            Self::Week => 2 * HOUR,
            Self::Month => 8 * HOUR,
        })
    }

    /// How many steps its series has.
    pub const fn steps(self) -> u32 {
        match self {
            Self::Hour => 60,
            Self::SixHours => 72,
            Self::Day => 96,
            Self::Week => 84,
            Self::Month => 90,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_fill_the_window() {
        let hours = |window: Window| (window.step() * window.steps()).as_secs() / HOUR;
        let all: Vec<_> = Window::ALL.iter().map(|window| hours(*window)).collect();
        assert_eq!(all, [1, 6, 24, 7 * 24, 30 * 24]);
    }
}
