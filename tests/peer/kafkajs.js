// What KafkaJS gets back for what it sent, as one line of JSON: node kafkajs.js BROKER
const { Kafka, CompressionTypes, logLevel } = require('kafkajs');

async function main() {
  const kafka = new Kafka({ brokers: [process.argv[2]], logLevel: logLevel.NOTHING });
  const admin = kafka.admin(), producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  const consumer = kafka.consumer({ groupId: 'script' });
  const messages = Array.from({ length: 100 }, (_, n) => ({ key: `k${n}`, value: `v${n}`, headers: { h: 'x' } }));
  const read = [];

  await Promise.all([admin, producer, consumer].map((part) => part.connect()));
  await admin.createTopics({ topics: [{ topic: 'script', numPartitions: 3 }] });
  await producer.send({ topic: 'script', compression: CompressionTypes.GZIP, messages });
  await consumer.subscribe({ topic: 'script', fromBeginning: true });
  await new Promise((resolve) => consumer.run({
    eachMessage: async ({ message }) => {
      if (read.push(`${message.key}=${message.value}/${message.headers.h}`) === messages.length) resolve();
    },
  }));
  await consumer.disconnect();
  const ends = (await admin.fetchTopicOffsets('script')).reduce((sum, { offset }) => sum + Number(offset), 0);
  await admin.deleteGroups(['script']);
  await admin.deleteTopics({ topics: ['script'] });
  console.log(JSON.stringify({ read, ends, topics: await admin.listTopics() }));
  await Promise.all([admin, producer].map((part) => part.disconnect()));
}

main().catch((error) => { console.error(error); process.exit(1); });
