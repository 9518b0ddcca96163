//! The scenario of clients.ts with tokio-tungstenite: client <url> <token> <ca file>.

use futures_util::{SinkExt, StreamExt};
use serde_json::{json, Value};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{client::IntoClientRequest, Error, Message};
use tokio_tungstenite::{connect_async_tls_with_config, Connector, MaybeTlsStream, WebSocketStream};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

fn trust(file: &str) -> Connector {
    let pem = std::fs::read(file).expect("the CA file");
    let mut roots = rustls::RootCertStore::empty();
    for certificate in rustls_pemfile::certs(&mut pem.as_slice()) {
        roots.add(certificate.expect("PEM")).expect("a certificate");
    }
    let provider = rustls::crypto::ring::default_provider();
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Connector::Rustls(Arc::new(config))
}

async fn open(url: &str, token: &str, ca: &str) -> Result<(Socket, String), Error> {
    let mut request = url.into_client_request()?;
    let headers = request.headers_mut();
    headers.insert("Authorization", format!("Bearer {token}").parse().unwrap());
    headers.insert("Sec-WebSocket-Protocol", "harness.v1".parse().unwrap());
    let (socket, response) =
        connect_async_tls_with_config(request, None, false, Some(trust(ca))).await?;
    let protocol = response.headers()["sec-websocket-protocol"].to_str().unwrap().to_owned();
    Ok((socket, protocol))
}

/// Reads until a message passes; pings are answered meanwhile.
async fn take(socket: &mut Socket, test: impl Fn(&Message) -> bool) -> Message {
    loop {
        let message = socket.next().await.expect("a message").expect("no error");
        if test(&message) {
            return message;
        }
    }
}

fn value(message: &Message) -> Value {
    match message {
        Message::Text(text) => serde_json::from_str(text.as_str()).unwrap_or(Value::Null),
        _ => Value::Null,
    }
}

async fn request(socket: &mut Socket, id: &str, action: &str, params: Value) {
    let text = json!({"id": id, "type": "request", "action": action, "params": params}).to_string();
    socket.send(Message::text(text)).await.expect("sent");
}

async fn run(url: &str, token: &str, ca: &str) {
    match open(url, "a-wrong-token-of-some-length", ca).await {
        Err(Error::Http(response)) => println!("refused {}", response.status().as_u16()),
        other => panic!("{other:?}"),
    }
    let (mut socket, protocol) = open(url, token, ca).await.expect("connected");
    println!("connected {protocol}");
    take(&mut socket, |m| value(m)["event"] == "hello").await;
    println!("hello");
    request(&mut socket, "1", "list_services", json!({})).await;
    let list = take(&mut socket, |m| value(m)["id"] == "1").await;
    println!("listed {}", list.to_text().unwrap().matches("\"name\":\"big\"").count());
    request(&mut socket, "2", "subscribe", json!({})).await;
    take(&mut socket, |m| value(m)["id"] == "2").await;
    let execution = json!({"type": "managed_process", "command": "/bin/true"});
    let service = json!({"name": "tungstenite", "version": "1", "execution": execution});
    request(&mut socket, "3", "register_service", json!({"service": service})).await;
    take(&mut socket, |m| value(m)["event"] == "service_registered").await;
    println!("event");
    let padding = "x".repeat(1024 * 1024);
    request(&mut socket, "4", "get_service", json!({"name": "tungstenite", "padding": padding})).await;
    take(&mut socket, |m| value(m)["id"] == "4").await;
    println!("sent a MiB");
    socket.send(Message::Ping("are you there".into())).await.expect("sent");
    take(&mut socket, |m| m.is_pong()).await;
    println!("pong");
    take(&mut socket, |m| value(m)["event"] == "bookmark").await;
    println!("bookmark");
    socket.send(Message::text("nonsense")).await.expect("sent");
    if let Message::Close(Some(frame)) = take(&mut socket, |m| m.is_close()).await {
        println!("closed {}", u16::from(frame.code));
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .expect("a runtime")
        .block_on(run(&args[1], &args[2], &args[3]));
}
