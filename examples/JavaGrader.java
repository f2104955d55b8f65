// A grader that polls, with nothing but the JDK (11 or later), all settings of its HttpClient as they come. To try it:
// java examples/JavaGrader.java http://127.0.0.1:18040/xqueue openedx ACCOUNT PASSWORD
// It grades until it is stopped, or as many as a fifth argument says.

import java.io.IOException;
import java.net.CookieManager;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

public class JavaGrader {
    static final int PAUSE_MILLISECONDS = 5_000;

    // It keeps the session's cookie, follows no redirects, and offers HTTP/2, which the gateway declines.
    final HttpClient client = HttpClient.newBuilder().cookieHandler(new CookieManager()).build();
    final String base, queue, account, password;

    JavaGrader(String base, String queue, String account, String password) {
        this.base = base;
        this.queue = queue;
        this.account = account;
        this.password = password;
    }

    // Here goes what you grade by: `body` is what the LMS sent, a JSON object with student_response in it.
    String grade(String body) {
        return "{\"correct\": true, \"score\": 1, \"msg\": \"<p>Good job!</p>\"}";
    }

    public static void main(String[] arguments) throws InterruptedException {
        JavaGrader grader = new JavaGrader(arguments[0], arguments[1], arguments[2], arguments[3]);
        System.out.println("grading " + grader.queue + " at " + grader.base + "; Ctrl-C stops it");
        int left = arguments.length > 4 ? Integer.parseInt(arguments[4]) : Integer.MAX_VALUE;
        while (left > 0) {
            try {
                left -= grader.gradeOne() ? 1 : 0;
            } catch (IOException | IllegalStateException error) {
                // The gateway is away, busy, or refuses: it says why. Whatever was under way comes again.
                System.err.println(error);
                Thread.sleep(PAUSE_MILLISECONDS);
            }
        }
    }

    // Take one submission and hand its result in; false if none came within 20 s.
    boolean gradeOne() throws IOException, InterruptedException {
        String answer = call("/get_submission/?queue_name=" + encoded(queue) + "&wait=20");
        String content = text(answer, "content");
        if (!succeeded(answer)) {
            if (content.equals("Queue '" + queue + "' is empty")) {
                return false;
            }
            throw new IllegalStateException(content);
        }
        String reply = grade(text(content, "xqueue_body"));
        // The header goes back as it came.
        String put = call("/put_result/", "xqueue_header", text(content, "xqueue_header"), "xqueue_body", reply);
        if (!succeeded(put)) {
            throw new IllegalStateException(text(put, "content"));
        }
        System.out.println("submission " + text(content, "xqueue_header") + ": " + reply);
        return true;
    }

    // Without a session the answer is a redirect: log in, and ask again, once.
    String call(String path, String... fields) throws IOException, InterruptedException {
        HttpResponse<String> answer = send(path, fields);
        if (answer.statusCode() == 302) {
            String login = send("/login/", "username", account, "password", password).body();
            if (!succeeded(login)) {
                throw new IllegalStateException(login);
            }
            answer = send(path, fields);
        }
        if (answer.statusCode() != 200) {
            throw new IllegalStateException(answer + " " + answer.body());
        }
        return answer.body();
    }

    HttpResponse<String> send(String path, String... fields) throws IOException, InterruptedException {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(base + path)).timeout(Duration.ofSeconds(30));
        if (fields.length > 0) {
            StringBuilder form = new StringBuilder();
            for (int i = 0; i < fields.length; i += 2) {
                form.append(i > 0 ? "&" : "").append(fields[i]).append("=").append(encoded(fields[i + 1]));
            }
            request.header("Content-Type", "application/x-www-form-urlencoded");
            request.POST(HttpRequest.BodyPublishers.ofString(form.toString()));
        }
        return client.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    static String encoded(String value) {
        return URLEncoder.encode(value, StandardCharsets.UTF_8);
    }

    // The JDK reads no JSON. For objects of strings this much does; with a JSON library it is two calls.
    static boolean succeeded(String envelope) {
        return envelope.contains("\"return_code\": 0");
    }

    static String text(String json, String key) {
        int at = json.indexOf("\"" + key + "\": \"");
        if (at < 0) {
            throw new IllegalStateException("no " + key + " in " + json);
        }
        StringBuilder text = new StringBuilder();
        for (at += key.length() + 5; json.charAt(at) != '"'; at++) {
            char next = json.charAt(at);
            if (next == '\\') {
                next = json.charAt(++at);
                int control = "bfnrt".indexOf(next);
                if (control >= 0) {
                    next = "\b\f\n\r\t".charAt(control);
                } else if (next == 'u') {
                    next = (char) Integer.parseInt(json.substring(at + 1, at + 5), 16);
                    at += 4;
                }
            }
            text.append(next);
        }
        return text.toString();
    }
}
