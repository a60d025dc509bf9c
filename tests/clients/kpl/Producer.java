import com.google.common.util.concurrent.ListenableFuture;
import java.net.URI;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.kinesis.producer.KinesisProducer;
import software.amazon.kinesis.producer.KinesisProducerConfiguration;
import software.amazon.kinesis.producer.UserRecordResult;

/** Puts records with the Kinesis Producer Library: Producer https://127.0.0.1:4567 STREAM KEY SECRET COUNT */
public class Producer {
  public static void main(String[] arguments) throws Exception {
    URI endpoint = URI.create(arguments[0]);
    String stream = arguments[1];
    int count = Integer.parseInt(arguments[4]);
    KinesisProducerConfiguration configuration = new KinesisProducerConfiguration();
    configuration.setRegion("us-east-1").setKinesisEndpoint(endpoint.getHost()).setKinesisPort(endpoint.getPort())
        .setStsEndpoint(endpoint.getHost()).setStsPort(endpoint.getPort()).setVerifyCertificate(false).setMetricsLevel("none")
        .setRecordMaxBufferedTime(1000).setLogLevel("warning")
        .setCredentialsProvider(StaticCredentialsProvider.create(AwsBasicCredentials.create(arguments[2], arguments[3])));
    KinesisProducer producer = new KinesisProducer(configuration);
    // It aggregates once it knows the shards, which it learns while the first record waits.
    producer.addUserRecord(stream, "warm-up", ByteBuffer.wrap("warm-up".getBytes())).get();
    Thread.sleep(1500);
    List<ListenableFuture<UserRecordResult>> results = new ArrayList<>();
    // The records of tests/golden/kpl/v1, in its order and all on one shard.
    String golden = stream + "-golden";
    producer.addUserRecord(golden, "warm-up", ByteBuffer.wrap("warm-up".getBytes())).get();
    Thread.sleep(1500);
    byte[] large = new byte[300];
    Arrays.fill(large, (byte) 'x');
    results.add(producer.addUserRecord(golden, "k1", ByteBuffer.wrap("one".getBytes("UTF-8"))));
    results.add(producer.addUserRecord(golden, "\u6d41\u308c", ByteBuffer.wrap("\u6e29\u304b\u3044\u304a\u8336".getBytes("UTF-8"))));
    results.add(producer.addUserRecord(golden, "k1", ByteBuffer.wrap(new byte[] {0, 1, (byte) 0xff})));
    results.add(producer.addUserRecord(golden, "k2", "170141183460469231731687303715884105728", ByteBuffer.wrap("hash".getBytes())));
    results.add(producer.addUserRecord(golden, "k1", "0", ByteBuffer.wrap("zero".getBytes())));
    results.add(producer.addUserRecord(golden, "k3", ByteBuffer.wrap(new byte[0])));
    results.add(producer.addUserRecord(golden, "k2", ByteBuffer.wrap(large)));
    for (int i = 0; i < count; ++i) {
      results.add(producer.addUserRecord(stream, "key-" + i % 97, ByteBuffer.wrap(("record " + i).getBytes())));
    }
    producer.flush();
    Set<String> stored = new HashSet<>();
    for (ListenableFuture<UserRecordResult> future : results) {
      UserRecordResult result = future.get();
      if (!result.isSuccessful()) throw new IllegalStateException("not stored: " + result.getAttempts());
      stored.add(result.getShardId() + " " + result.getSequenceNumber());
    }
    System.out.println("ok: " + results.size() + " user records in " + stored.size() + " records");
    producer.flushSync();
    producer.destroy();
    System.exit(0);
  }
}
