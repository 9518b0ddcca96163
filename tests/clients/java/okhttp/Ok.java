import java.io.FileInputStream;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import okhttp3.WebSocket;
import okhttp3.WebSocketListener;

/** The scenario of clients.ts with OkHttp, which pings by itself: Ok.java url token ca-file. */
public class Ok extends WebSocketListener {
  final BlockingQueue<String> messages = new LinkedBlockingQueue<>();

  @Override
  public void onOpen(WebSocket ws, Response response) {
    messages.add("connected " + response.header("Sec-WebSocket-Protocol"));
  }

  @Override
  public void onFailure(WebSocket ws, Throwable error, Response response) {
    messages.add(response == null ? "failed " + error : "refused " + response.code());
  }

  @Override
  public void onMessage(WebSocket ws, String text) {
    messages.add(text);
  }

  @Override
  public void onClosing(WebSocket ws, int code, String reason) {
    messages.add("closed " + code);
    ws.close(code, null);
  }

  String take(String part) throws InterruptedException {
    for (;;) {
      String message = messages.poll(30, TimeUnit.SECONDS);
      if (message == null) throw new IllegalStateException("no message with " + part);
      if (message.contains(part)) return message;
      if (message.startsWith("failed")) throw new IllegalStateException(message);
    }
  }

  static OkHttpClient client(String file) throws Exception {
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    try (FileInputStream in = new FileInputStream(file)) {
      store.setCertificateEntry("test", CertificateFactory.getInstance("X.509").generateCertificate(in));
    }
    TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(store);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    return new OkHttpClient.Builder()
        .sslSocketFactory(context.getSocketFactory(), (X509TrustManager) trust.getTrustManagers()[0])
        .pingInterval(20, TimeUnit.SECONDS)
        .build();
  }

  static Request request(String url, String token) {
    return new Request.Builder()
        .url(url)
        .header("Authorization", "Bearer " + token)
        .header("Sec-WebSocket-Protocol", "harness.v1")
        .build();
  }

  public static void main(String[] args) throws Exception {
    OkHttpClient http = client(args[2]);
    Ok listener = new Ok();
    http.newWebSocket(request(args[0], "a-wrong-token-of-some-length"), listener);
    System.out.println(listener.take("refused"));
    WebSocket ws = http.newWebSocket(request(args[0], args[1]), listener);
    System.out.println(listener.take("connected"));
    listener.take("\"hello\"");
    System.out.println("hello");
    send(ws, "1", "list_services", "{}");
    System.out.println("listed " + (listener.take("\"id\":\"1\"").split("\"name\":\"big\"", -1).length - 1));
    send(ws, "2", "subscribe", "{}");
    listener.take("\"id\":\"2\"");
    String execution = "{\"type\":\"managed_process\",\"command\":\"/bin/true\"}";
    send(ws, "3", "register_service",
        "{\"service\":{\"name\":\"okhttp\",\"version\":\"1\",\"execution\":" + execution + "}}");
    listener.take("\"service_registered\"");
    System.out.println("event");
    send(ws, "4", "get_service", "{\"name\":\"okhttp\",\"padding\":\"" + "x".repeat(1024 * 1024) + "\"}");
    listener.take("\"id\":\"4\"");
    System.out.println("sent a MiB");
    listener.take("\"bookmark\"");
    System.out.println("bookmark");
    ws.send("nonsense");
    System.out.println(listener.take("closed"));
    System.exit(0);
  }

  static void send(WebSocket ws, String id, String action, String params) {
    ws.send("{\"id\":\"" + id + "\",\"type\":\"request\",\"action\":\"" + action + "\",\"params\":" + params + "}");
  }
}
