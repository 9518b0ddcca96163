import java.io.FileInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.net.http.WebSocketHandshakeException;
import java.nio.ByteBuffer;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** The scenario of clients.ts with the JDK's own client: Jdk.java url token ca-file. */
public class Jdk implements WebSocket.Listener {
  final BlockingQueue<String> messages = new LinkedBlockingQueue<>();
  final StringBuilder partial = new StringBuilder();

  @Override
  public CompletionStage<?> onText(WebSocket ws, CharSequence data, boolean last) {
    partial.append(data);
    if (last) {
      messages.add(partial.toString());
      partial.setLength(0);
    }
    ws.request(1);
    return null;
  }

  @Override
  public CompletionStage<?> onPong(WebSocket ws, ByteBuffer data) {
    messages.add("pong");
    ws.request(1);
    return null;
  }

  @Override
  public CompletionStage<?> onClose(WebSocket ws, int code, String reason) {
    messages.add("closed " + code);
    return null;
  }

  String take(String part) throws InterruptedException {
    for (;;) {
      String message = messages.poll(30, TimeUnit.SECONDS);
      if (message == null) throw new IllegalStateException("no message with " + part);
      if (message.contains(part)) return message;
    }
  }

  static SSLContext trust(String file) throws Exception {
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    try (FileInputStream in = new FileInputStream(file)) {
      store.setCertificateEntry("test", CertificateFactory.getInstance("X.509").generateCertificate(in));
    }
    TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(store);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    return context;
  }

  static WebSocket open(HttpClient http, String url, String token, Jdk listener) {
    return http.newWebSocketBuilder()
        .subprotocols("harness.v1")
        .header("Authorization", "Bearer " + token)
        .buildAsync(URI.create(url), listener)
        .join();
  }

  public static void main(String[] args) throws Exception {
    HttpClient http = HttpClient.newBuilder().sslContext(trust(args[2])).build();
    Jdk client = new Jdk();
    try {
      open(http, args[0], "a-wrong-token-of-some-length", client);
    } catch (CompletionException error) {
      WebSocketHandshakeException refused = (WebSocketHandshakeException) error.getCause();
      System.out.println("refused " + refused.getResponse().statusCode());
    }
    WebSocket ws = open(http, args[0], args[1], client);
    System.out.println("connected " + ws.getSubprotocol());
    client.take("\"hello\"");
    System.out.println("hello");
    send(ws, "1", "list_services", "{}");
    System.out.println("listed " + (client.take("\"id\":\"1\"").split("\"name\":\"big\"", -1).length - 1));
    send(ws, "2", "subscribe", "{}");
    client.take("\"id\":\"2\"");
    String execution = "{\"type\":\"managed_process\",\"command\":\"/bin/true\"}";
    send(ws, "3", "register_service",
        "{\"service\":{\"name\":\"jdk\",\"version\":\"1\",\"execution\":" + execution + "}}");
    client.take("\"service_registered\"");
    System.out.println("event");
    send(ws, "4", "get_service", "{\"name\":\"jdk\",\"padding\":\"" + "x".repeat(1024 * 1024) + "\"}");
    client.take("\"id\":\"4\"");
    System.out.println("sent a MiB");
    ws.sendPing(ByteBuffer.wrap("are you there".getBytes())).join();
    System.out.println(client.take("pong"));
    client.take("\"bookmark\"");
    System.out.println("bookmark");
    ws.sendText("nonsense", true).join();
    System.out.println(client.take("closed "));
  }

  static void send(WebSocket ws, String id, String action, String params) {
    ws.sendText("{\"id\":\"" + id + "\",\"type\":\"request\",\"action\":\"" + action + "\",\"params\":" + params + "}", true)
        .join();
  }
}
