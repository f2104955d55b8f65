// An AMQP grader in 30 lines of JavaScript, with amqplib alone: node amqplib_grader.mjs QUEUE
// docs/reference/amqp.md explains each line. It ends when its connection does: let a service manager start it again.
import amqp from "amqplib";

function grade(body) {
  const right = JSON.parse(body).student_response.toLowerCase().includes("hello");
  return { correct: right, score: Number(right), msg: right ? "<p>Hello!</p>" : "<p>Say hello.</p>" };
}

const url = new URL(process.env.XQUEUE_AMQP_URL);
const connection = await amqp.connect(url.href);
const channel = await connection.createConfirmChannel();
for (const source of [connection, channel]) source.on("error", (error) => console.error(String(error)));
for (const source of [connection, channel]) source.on("close", () => process.exit(1));
// A confirmed publish that no queue took comes back first: end unacked rather than lose it.
channel.on("return", () => process.exit(1));
await channel.prefetch(1);
await channel.consume(`xqueue.submissions.${process.argv[2]}`, async (asked) => {
  if (asked === null) process.exit(1); // the queue was deleted
  const { correlationId, replyTo, headers } = asked.properties;
  const sealed = headers["xqueue-return"];
  let reply;
  try {
    if (!sealed) throw new Error("this is no submission");
    reply = JSON.stringify(grade(JSON.parse(asked.content).xqueue_body));
  } catch (error) {
    console.error(`submission ${correlationId}: ${error}`);
    return channel.reject(asked, false);
  }
  const userId = decodeURIComponent(url.username);
  const sent = { correlationId, headers: { "xqueue-return": sealed }, userId, persistent: true, mandatory: true };
  channel.publish("xqueue.results", replyTo, Buffer.from(reply), sent, (error) => {
    if (error) process.exit(1);
    channel.ack(asked);
    console.log(`submission ${correlationId}: ${reply}`);
  });
});
console.log(`grading ${process.argv[2]}; Ctrl-C stops it`);
