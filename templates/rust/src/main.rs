//! plain-http: is plain HTTP sent on to HTTPS? One job line in, messages out.
//!
//! The standard library has no HTTP client. What is needed of one here is a request of five lines
//! and the head of the answer; a plugin that wants TLS, proxies or bodies takes a crate (ureq).

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use serde_json::{json, Value};

const LONGEST_HEAD: usize = 64 * 1024;

type Outcome = Result<(), Box<dyn Error>>;

fn say(message: Value) -> Outcome {
    let mut protocol = io::stdout().lock();
    writeln!(protocol, "{message}")?; // on one line, each string escaped
    Ok(protocol.flush()?)
}

fn fail(kind: &str, message: &str) -> Outcome {
    say(json!({"type": "done", "status": "error", "error": {"kind": kind, "message": message}}))
}

/// What is left until `end`; an error where that is nothing.
fn left(end: Instant) -> io::Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::Error::new(ErrorKind::TimedOut, "no answer in time"));
    }
    Ok(left)
}

fn connect(host: &str, port: u16, end: Instant) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, left(end)?) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Whether a head has come to its end: an empty line, by the book or as untidy servers write it.
fn is_whole(head: &[u8]) -> bool {
    head.windows(4).any(|end| end == b"\r\n\r\n") || head.windows(2).any(|end| end == b"\n\n")
}

/// The head of the answer: bounded in length, and in time however slowly it comes.
fn exchange(mut stream: TcpStream, request: &str, end: Instant) -> io::Result<String> {
    stream.set_write_timeout(Some(left(end)?))?;
    stream.write_all(request.as_bytes())?;
    let mut head = Vec::new();
    let mut chunk = [0; 4096];
    while !is_whole(&head) && head.len() < LONGEST_HEAD {
        stream.set_read_timeout(Some(left(end)?))?;
        match stream.read(&mut chunk) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => head.extend_from_slice(&chunk[..read]),
            // Its time is over; `left` says so in words.
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// Status and Location of an answer; None where it is not HTTP.
fn parse(head: &str) -> Option<(u16, String)> {
    let mut lines = head.lines();
    let mut words = lines.next()?.strip_prefix("HTTP/")?.split(' ');
    let status = words.nth(1)?.parse().ok()?;
    let location = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("location"))
        .map_or("", |(_, value)| value.trim());
    Some((status, location.to_owned()))
}

/// Asks for the page at `place`. http.headers may be secrets, and this goes in clear: they stay here.
fn ask(job: &Value, host: &str, port: u16, place: &str) -> io::Result<(u16, String)> {
    let agent = job["http"]["user_agent"].as_str().unwrap_or("kastrun");
    let seconds = (job["deadline_s"].as_f64().unwrap_or(10.0) / 2.0).min(5.0);
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {place}\r\nUser-Agent: {agent}\r\nConnection: close\r\n\r\n"
    );
    let head = exchange(connect(host, port, end)?, &request, end)?;
    parse(&head).ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "that is not HTTP"))
}

fn main() -> Outcome {
    // An error that leaves main is exit code 1 and a line on stderr: kastrun shows both.
    let job: Value = serde_json::from_reader(io::stdin().lock())?;
    let host = job["targets"][0]["host"].as_str().ok_or("no host")?;
    let port = u16::try_from(job["options"]["port"].as_u64().ok_or("no port")?)?;
    if !job["http"]["proxy"].is_null() {
        return fail("config", "this plugin cannot use http.proxy");
    }
    // An IPv6 address stands in brackets in a URL and in Host.
    let place = match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    };
    let url = format!("http://{place}/");
    let (status, location) = match ask(&job, host, port, &place) {
        Ok(answer) => answer,
        Err(error) => return fail("target", &format!("{url} does not answer: {error}")),
    };

    let redirects = (300..400).contains(&status) && !location.is_empty();
    let mut seen = format!("HTTP {status}");
    if redirects {
        seen += &format!(" to {location}");
    }
    if !redirects || !location.to_ascii_lowercase().starts_with("https://") {
        say(json!({
            "type": "finding",
            "rule": "http.no-redirect",
            "title": "Plain HTTP is not sent on to HTTPS",
            "severity": "medium",
            "location": {"url": url},
            "evidence": seen,
            "remediation": "Answer every plain request with a redirect to the https:// address.",
            "refs": ["CWE-319"],
        }))?;
    }
    say(json!({"type": "done", "status": "ok", "message": seen}))
}
