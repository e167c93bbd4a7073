//! A blocking HTTP client of one connection. It must cost less than anything it measures.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use socket2::{Domain, Socket, Type};

/// How long an answer may take: a server that takes longer is stuck.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Http {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
    /// The current line of a head.
    line: String,
}

/// An answer whose body has been read.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) etag: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Http {
    pub(crate) fn connect(address: SocketAddr) -> anyhow::Result<Http> {
        let stream = TcpStream::connect(address).context("cannot connect to the server")?;
        Http::new(address, stream)
    }

    /// Connects from an address of this machine, for example one of 127.0.0.0/8, which the server takes for another client.
    pub(crate) fn connect_from(source: Ipv4Addr, address: SocketAddr) -> anyhow::Result<Http> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket
            .bind(&SocketAddrV4::new(source, 0).into())
            .context("cannot bind a client's address")?;
        socket
            .connect(&address.into())
            .context("cannot connect to the server")?;
        Http::new(address, socket.into())
    }

    fn new(address: SocketAddr, stream: TcpStream) -> anyhow::Result<Http> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Http {
            address,
            stream: BufReader::new(stream),
            line: String::new(),
        })
    }

    /// How long to wait for bytes of an answer, instead of a minute.
    pub(crate) fn set_patience(&self, patience: Duration) -> anyhow::Result<()> {
        Ok(self.stream.get_ref().set_read_timeout(Some(patience))?)
    }

    /// The connection, for clients that go on by another protocol.
    pub(crate) fn into_stream(self) -> BufReader<TcpStream> {
        self.stream
    }

    /// Posts a body, and returns the answer's.
    pub(crate) fn post(&mut self, path: &str, headers: &[(&str, &str)], body: &str) -> anyhow::Result<String> {
        let mut request = format!("POST {path} HTTP/1.1\r\nhost: {}\r\n", self.address);
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        let (status, body) = self.exchange(request.as_bytes())?;
        if !(200..300).contains(&status) {
            bail!("{status}: {body}");
        }
        Ok(body)
    }

    /// Sends a request as it stands, and returns the status and the body of the answer.
    pub(crate) fn exchange(&mut self, request: &[u8]) -> anyhow::Result<(u16, String)> {
        self.send(request)?;
        let answer = self.receive()?;
        Ok((answer.status, String::from_utf8(answer.body)?))
    }

    /// Sends a request as it stands.
    pub(crate) fn send(&mut self, request: &[u8]) -> anyhow::Result<()> {
        Ok(self.stream.get_mut().write_all(request)?)
    }

    /// Waits for the answer to the oldest request that has none yet.
    pub(crate) fn receive(&mut self) -> anyhow::Result<Answer> {
        let (status, length, etag) = self.head()?;
        // These have no body (RFC 9110, 6.4.1).
        let length = match (status, length) {
            (204 | 304, _) => 0,
            (_, length) => length.with_context(|| format!("an answer without a length: {status}"))?,
        };
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(Answer { status, etag, body })
    }

    /// Reads the head of an answer: status, length of the body, entity tag.
    pub(crate) fn head(&mut self) -> anyhow::Result<(u16, Option<usize>, Option<String>)> {
        self.read_line()?;
        let status = self.line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.context("an answer without a status")?;
        let (mut length, mut etag) = (None, None);
        loop {
            self.read_line()?;
            let line = self.line.trim_end();
            if line.is_empty() {
                return Ok((status, length, etag));
            }
            if let Some((name, value)) = line.split_once(':') {
                if name.eq_ignore_ascii_case("content-length") {
                    length = Some(value.trim().parse()?);
                } else if name.eq_ignore_ascii_case("etag") {
                    etag = Some(value.trim().to_owned());
                }
            }
        }
    }

    fn read_line(&mut self) -> anyhow::Result<()> {
        self.line.clear();
        let read = self.stream.read_line(&mut self.line)?;
        ensure!(read > 0, "the server hung up");
        Ok(())
    }
}
