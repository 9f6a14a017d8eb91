//! `[limits]`: whether sizes, counts and rates make sense, and together fit a frame.

use hushpost_wire::limits::MAX_FRAME_LEN;
use hushpost_wire::sent_message::{KEY_MATERIAL_LEN, SERVICE_ID_LEN};

use super::{Check, GIB, KIB, SECOND, YEAR};
use crate::config::{Limits, RateLimit, size};

/// Bytes that one recipient takes at most in a request besides its devices: in the sealed form service id,
/// key material and delivery token, in the other form account id, token and their field headers.
const RECIPIENT_LEN: usize = SERVICE_ID_LEN + KEY_MATERIAL_LEN + 18;
/// Bytes of one device of a recipient: number and registration id with their field headers.
const RECIPIENT_DEVICE_LEN: usize = 8;
/// Bytes of everything else in such a request.
const REQUEST_LEN: usize = 256;

impl Check {
    pub(super) fn limits(&mut self, limits: &Limits) {
        // A session's first message alone holds a KEM ciphertext of 1.6 KB.
        let message_bytes = u64::try_from(limits.message_bytes).unwrap_or(u64::MAX);
        self.size(
            "limits.message_bytes",
            message_bytes,
            4 * KIB..=MAX_FRAME_LEN as u64,
        );
        self.count("limits.recipients", limits.recipients, 1..=4096);
        // More do not fit into a device list.
        self.count("limits.devices", limits.devices, 1..=40);
        self.count(
            "limits.queue_messages",
            limits.queue_messages,
            1..=100_000_000,
        );
        // Not a number is not contained.
        self.count("limits.stranger_share", limits.stranger_share, 0.0..=1.0);
        self.duration("limits.message_ttl", limits.message_ttl, SECOND..=YEAR);
        self.count("limits.delivery_window", limits.delivery_window, 1..=65_536);
        let topics = limits.topics_per_connection;
        self.count("limits.topics_per_connection", topics, 1..=1_000_000);
        self.size("limits.blob_bytes", limits.blob_bytes, KIB..=2 * GIB);
        self.duration("limits.blob_ttl", limits.blob_ttl, SECOND..=YEAR);
        if limits.blob_quota_bytes < limits.blob_bytes {
            let quota = size::text(limits.blob_quota_bytes);
            let blob = size::text(limits.blob_bytes);
            let what = format!("{quota} has no room for one blob of limits.blob_bytes = {blob}");
            self.wrong("limits.blob_quota_bytes", what, format!("at least {blob}"));
        }
        self.duration(
            "limits.upload_timeout",
            limits.upload_timeout,
            SECOND..=YEAR,
        );
        self.count(
            "limits.pending_requests",
            limits.pending_requests,
            1..=65_536,
        );
        self.count("limits.tracked_keys", limits.tracked_keys, 1..=100_000_000);
    }

    pub(super) fn frame(&mut self, limits: &Limits) {
        let recipient = limits
            .devices
            .saturating_mul(RECIPIENT_DEVICE_LEN)
            .saturating_add(RECIPIENT_LEN);
        let all = limits.recipients.saturating_mul(recipient);
        let needed = limits
            .message_bytes
            .saturating_add(all)
            .saturating_add(REQUEST_LEN);
        if needed > MAX_FRAME_LEN {
            let what = format!(
                "one message of {} to {} recipients with {} devices each takes {} KiB, and a frame \
                 holds {} KiB",
                size::text(u64::try_from(limits.message_bytes).unwrap_or(u64::MAX)),
                limits.recipients,
                limits.devices,
                needed.div_ceil(1024),
                MAX_FRAME_LEN / 1024,
            );
            // Only what is wrong together: each alone has its own message.
            let default = Limits::default();
            let setting = if limits.message_bytes > default.message_bytes {
                "limits.message_bytes"
            } else if limits.recipients > default.recipients {
                "limits.recipients"
            } else {
                "limits.devices"
            };
            let help = "lower limits.message_bytes, limits.recipients or limits.devices";
            self.wrong(setting, what, help);
        }
    }

    pub(super) fn rates(&mut self, limits: &Limits) {
        for (name, limit) in limits.rate.each() {
            let RateLimit::On(rate) = limit else { continue };
            let setting = format!("limits.rate.{name}");
            if rate.burst == 0 {
                let what = "0 would let nothing through";
                self.wrong(&format!("{setting}.burst"), what, "at least 1, or \"off\"");
            }
            // Limiters count in whole nanoseconds from one to the next.
            let per_minute = 0.0001..=60_000_000.0;
            self.count(
                &format!("{setting}.per_minute"),
                rate.per_minute,
                per_minute,
            );
        }
        if let RateLimit::On(rate) = limits.rate.bytes_per_queue {
            let message = limits.message_bytes.div_ceil(1024);
            if usize::try_from(rate.burst).is_ok_and(|burst| (1..message).contains(&burst)) {
                let what = format!("{} KiB never let the largest message through", rate.burst);
                let help = format!("at least {message}, as limits.message_bytes");
                self.wrong("limits.rate.bytes_per_queue.burst", what, help);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::wrong;
    use super::*;
    use crate::config::{Rate, WhenFull};

    #[test]
    fn the_largest_message_to_the_most_recipients_fits_a_frame() {
        assert_eq!(
            wrong(|it| it.limits.message_bytes = 200 * 1024),
            // The limiter of bytes has a burst of 128 MiB.
            ["limits.message_bytes"]
        );
        assert_eq!(
            wrong(|it| it.limits.recipients = 2048),
            ["limits.recipients"]
        );
        assert_eq!(wrong(|it| it.limits.devices = 40), ["limits.devices"]);
        assert_eq!(
            wrong(|it| {
                it.limits.message_bytes = 200 * 1024;
                it.limits.recipients = 100;
            }),
            [""; 0]
        );
    }

    #[test]
    fn limiters() {
        let rate = |burst, per_minute| {
            wrong(|it| {
                it.limits.rate.bytes_per_queue = RateLimit::On(Rate {
                    burst,
                    per_minute,
                    when_full: WhenFull::Open,
                });
            })
        };
        let burst = "limits.rate.bytes_per_queue.burst";
        let per_minute = "limits.rate.bytes_per_queue.per_minute";
        assert_eq!(rate(64, 0.0001), [""; 0]);
        assert_eq!(rate(63, 1.0), [burst]);
        assert_eq!(rate(0, 1.0), [burst]);
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9] {
            assert_eq!(rate(64, wrong), [per_minute], "{wrong}");
        }
        assert_eq!(wrong(|it| it.limits.rate.uploads = RateLimit::Off), [""; 0]);
    }
}
