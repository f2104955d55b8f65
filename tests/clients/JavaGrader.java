// A grader of one submission with the HttpClient of Java 11 and later, all settings as they come: it offers HTTP/2 by an
// upgrade (h2c) with every request. Run as: java JavaGrader.java BASE QUEUE ACCOUNT PASSWORD REPLY

import java.net.CookieManager;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

public class JavaGrader {
    static final int TRIES = 60;
    static final HttpClient CLIENT = HttpClient.newBuilder().cookieHandler(new CookieManager()).build();

    public static void main(String[] arguments) throws Exception {
        String base = arguments[0], queue = arguments[1], reply = arguments[4];
        expect(post(base + "/login/", "username", arguments[2], "password", arguments[3]), "Logged in");
        for (int attempt = 0; attempt < TRIES; attempt++) {
            String answer = send(request(base + "/get_submission/?queue_name=" + queue).GET());
            String content = text(answer, "content");
            if (answer.contains("\"return_code\": 0")) {
                String header = text(content, "xqueue_header");
                expect(post(base + "/put_result/", "xqueue_header", header, "xqueue_body", reply), "");
                return;
            }
            expect(answer, "Queue '" + queue + "' is empty");
            Thread.sleep(250);
        }
        throw new IllegalStateException("nothing came from " + queue);
    }

    static HttpRequest.Builder request(String url) {
        return HttpRequest.newBuilder(URI.create(url)).timeout(Duration.ofSeconds(20));
    }

    static String post(String url, String... fields) throws Exception {
        StringBuilder form = new StringBuilder();
        for (int i = 0; i < fields.length; i += 2) {
            form.append(i > 0 ? "&" : "").append(fields[i]).append("=");
            form.append(URLEncoder.encode(fields[i + 1], StandardCharsets.UTF_8));
        }
        return send(request(url)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .POST(HttpRequest.BodyPublishers.ofString(form.toString())));
    }

    static String send(HttpRequest.Builder request) throws Exception {
        HttpResponse<String> answer = CLIENT.send(request.build(), HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() != 200) {
            throw new IllegalStateException(answer + ": " + answer.body());
        }
        return answer.body();
    }

    static void expect(String answer, String content) {
        if (!text(answer, "content").equals(content)) {
            throw new IllegalStateException("expected " + content + ", came " + answer);
        }
    }

    // The JDK reads no JSON; of an object of strings this much is enough.
    static String text(String json, String key) {
        Matcher found = Pattern.compile("\"" + key + "\": \"((?:[^\"\\\\]|\\\\.)*)\"").matcher(json);
        if (!found.find()) {
            throw new IllegalStateException("no " + key + " in " + json);
        }
        return found.group(1).replaceAll("\\\\(.)", "$1");
    }
}
