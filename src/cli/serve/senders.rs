//! How much one sender may ask for, and how it is known behind proxies.

use std::net::IpAddr;
use std::num::NonZeroU32;

use clap::{Args, ValueEnum};
use ipnet::IpNet;

use crate::transport::{Config, ExecutionLimit, Forwarding, Rate};

#[derive(Args, Debug)]
#[command(next_help_heading = "Limits of a sender")]
pub(super) struct SenderLimits {
    /// How much one token, or one address without a token, may ask for in each second, in units of cost (about 5 µs of CPU
    /// each); 0 for as much as it likes.
    #[arg(long, env = "ALLCLEAR_RATE_LIMIT", default_value_t = 20_000)]
    rate_limit: u32,
    /// How much of that it may ask for at once, after a while of silence.
    #[arg(long, env = "ALLCLEAR_RATE_BURST", default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1..))]
    rate_burst: u32,
    /// How many requests of one token, or of one address without a token, are executed at the same time; 0 for as many as
    /// come. A few more wait; the rest get 429. Keep it below `--database-connections`, so that one client cannot take all
    /// of them.
    #[arg(long, env = "ALLCLEAR_MAX_EXECUTIONS", value_name = "COUNT", default_value_t = 4)]
    max_executions: usize,
    /// The most sockets and streams that are open at a time; 0 for as many as the limit of open files allows.
    #[arg(long, env = "ALLCLEAR_MAX_SOCKETS", default_value_t = 100_000)]
    max_sockets: usize,
    /// The most of them from one address; 0 for as many as come.
    #[arg(long, env = "ALLCLEAR_MAX_SOCKETS_PER_ADDRESS", default_value_t = 2_000)]
    max_sockets_per_address: usize,
    /// The most frames that a client may send over a WebSocket in a second.
    #[arg(long, env = "ALLCLEAR_FRAMES_PER_SECOND", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    frames_per_second: u32,
    /// The address or network of a proxy that is believed when it says whom it speaks for, such as `10.0.0.0/8`.
    /// Repeatable.
    #[arg(long = "trusted-proxy", env = "ALLCLEAR_TRUSTED_PROXY", value_delimiter = ',', value_parser = network)]
    trusted_proxy: Vec<IpNet>,
    /// The header in which they say so. It must be one that they write themselves, whatever the client sends.
    #[arg(long, env = "ALLCLEAR_FORWARDED_HEADER", value_enum, default_value_t = Header::XForwardedFor)]
    forwarded_header: Header,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Header {
    XForwardedFor,
    Forwarded,
}

/// A network, or an address, which is a network of one.
fn network(text: &str) -> Result<IpNet, String> {
    let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    network.map_err(|_| "must be an address, or a network such as 10.0.0.0/8".to_owned())
}

impl SenderLimits {
    pub(super) fn apply(&self, config: &mut Config) {
        let burst = NonZeroU32::new(self.rate_burst).unwrap_or(NonZeroU32::MIN);
        config.rate = NonZeroU32::new(self.rate_limit).map(|cost| Rate { cost, burst });
        config.executions = config
            .executions
            .filter(|_| self.max_executions > 0)
            .map(|limit| ExecutionLimit {
                running: self.max_executions,
                ..limit
            });
        let bound = |most: usize| (most > 0).then_some(most);
        config.room.in_all = bound(self.max_sockets);
        config.room.per_address = bound(self.max_sockets_per_address);
        config.websocket.frames_per_second = self.frames_per_second;
        config.proxies.trusted.clone_from(&self.trusted_proxy);
        config.proxies.header = match self.forwarded_header {
            Header::XForwardedFor => Forwarding::XForwardedFor,
            Header::Forwarded => Forwarding::Forwarded,
        };
    }
}
