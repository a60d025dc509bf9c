import java.io.FileInputStream;
import java.math.BigInteger;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import javax.net.ssl.TrustManagerFactory;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.core.interceptor.Context;
import software.amazon.awssdk.core.interceptor.ExecutionAttributes;
import software.amazon.awssdk.core.interceptor.ExecutionInterceptor;
import software.amazon.awssdk.http.Protocol;
import software.amazon.awssdk.http.ProtocolNegotiation;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.services.kinesis.model.*;
import software.amazon.awssdk.services.kinesis.model.Record;

/** Drives a Kinesis endpoint with the AWS SDK for Java v2's asynchronous client: Kinesis MODE URL [CERTIFICATE], MODE one of h2c, alpn, http1. */
public class Kinesis {
  static KinesisAsyncClient client;
  static String mode;
  static final Set<String> contentTypes = java.util.concurrent.ConcurrentHashMap.newKeySet();

  static void done(String what) {
    System.out.println("ok: " + mode + ": " + what);
  }

  static void check(boolean holds, Object what) {
    if (!holds) throw new AssertionError(String.valueOf(what));
  }

  static <T> T get(CompletableFuture<T> future) throws Exception {
    return future.get(30, TimeUnit.SECONDS);
  }

  /** Waits until it holds; the service tells no one when a stream has changed. */
  interface Check {
    boolean holds() throws Exception;
  }

  static void eventually(String what, Check test) throws Exception {
    Instant end = Instant.now().plusSeconds(30);
    while (!test.holds()) {
      check(Instant.now().isBefore(end), "not in time: " + what);
      Thread.sleep(50);
    }
  }

  static void active(String stream) throws Exception {
    eventually("stream ACTIVE", () -> get(client.describeStreamSummary(r -> r.streamName(stream))).streamDescriptionSummary()
        .streamStatus() == StreamStatus.ACTIVE);
  }

  static List<Record> readAll(String stream, String shard) throws Exception {
    List<Record> all = new ArrayList<>();
    String iterator = get(client.getShardIterator(r -> r.streamName(stream).shardId(shard)
        .shardIteratorType(ShardIteratorType.TRIM_HORIZON))).shardIterator();
    while (iterator != null) {
      final String at = iterator;
      GetRecordsResponse read = get(client.getRecords(r -> r.shardIterator(at)));
      all.addAll(read.records());
      check((read.nextShardIterator() == null) == read.hasChildShards(), "an end has children, and nothing else has: " + read);
      if (read.records().isEmpty() && read.millisBehindLatest() == 0) break;
      iterator = read.nextShardIterator();
    }
    return all;
  }

  static List<Shard> openShards(String stream) throws Exception {
    return get(client.listShards(r -> r.streamName(stream).shardFilter(f -> f.type(ShardFilterType.AT_LATEST)))).shards();
  }

  /** One subscription, its events as they come. */
  static class Subscription {
    final List<SubscribeToShardEvent> events = new CopyOnWriteArrayList<>();
    final CompletableFuture<Void> ended;

    Subscription(String consumer, String shard, Consumer<StartingPosition.Builder> position) {
      SubscribeToShardResponseHandler handler = SubscribeToShardResponseHandler.builder()
          .subscriber(SubscribeToShardResponseHandler.Visitor.builder().onSubscribeToShardEvent(events::add).build()).build();
      ended = client.subscribeToShard(r -> r.consumerARN(consumer).shardId(shard).startingPosition(position), handler);
    }

    List<Record> records() {
      return events.stream().flatMap(e -> e.records().stream()).collect(Collectors.toList());
    }

    String last() {
      return events.get(events.size() - 1).continuationSequenceNumber();
    }

    void await(String what, Check test) throws Exception {
      eventually(what, () -> {
        if (ended.isCompletedExceptionally()) ended.join();
        return test.holds();
      });
    }
  }

  static String text(Record record) {
    return record.data().asString(StandardCharsets.UTF_8);
  }

  static List<String> texts(List<Record> records) {
    return records.stream().map(Kinesis::text).collect(Collectors.toList());
  }

  static List<String> numbers(int from, int to) {
    List<String> out = new ArrayList<>();
    for (int i = from; i < to; ++i) out.add(String.valueOf(i));
    return out;
  }

  static void put(String stream, int from, int to) throws Exception {
    List<PutRecordsRequestEntry> entries = new ArrayList<>();
    for (String n : numbers(from, to))
      entries.add(PutRecordsRequestEntry.builder().partitionKey("k").data(SdkBytes.fromUtf8String(n)).build());
    PutRecordsResponse answer = get(client.putRecords(r -> r.streamName(stream).records(entries)));
    check(answer.failedRecordCount() == 0 && answer.records().size() == to - from, answer);
  }

  static void open(URI endpoint, String certificate) throws Exception {
    NettyNioAsyncHttpClient.Builder http = NettyNioAsyncHttpClient.builder().maxConcurrency(200)
        .protocol(mode.equals("http1") ? Protocol.HTTP1_1 : Protocol.HTTP2);
    if (mode.equals("alpn")) http.protocolNegotiation(ProtocolNegotiation.ALPN);
    if (mode.equals("h2c")) http.protocolNegotiation(ProtocolNegotiation.ASSUME_PROTOCOL);
    if (certificate != null) {
      KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
      trusted.load(null, null);
      try (FileInputStream file = new FileInputStream(certificate)) {
        trusted.setCertificateEntry("server", CertificateFactory.getInstance("X.509").generateCertificate(file));
      }
      TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      trust.init(trusted);
      http.tlsTrustManagersProvider(trust::getTrustManagers);
    }
    client = KinesisAsyncClient.builder().endpointOverride(endpoint).region(Region.US_EAST_1)
        .credentialsProvider(StaticCredentialsProvider.create(
            AwsBasicCredentials.create(System.getenv("AWS_ACCESS_KEY_ID"), System.getenv("AWS_SECRET_ACCESS_KEY"))))
        .httpClientBuilder(http).overrideConfiguration(o -> o.addExecutionInterceptor(new ExecutionInterceptor() {
          @Override
          public void afterTransmission(Context.AfterTransmission context, ExecutionAttributes attributes) {
            context.httpResponse().firstMatchingHeader("content-type").ifPresent(contentTypes::add);
          }
        })).build();
  }

  static void records(String stream) throws Exception {
    get(client.createStream(r -> r.streamName(stream).shardCount(1)));
    active(stream);
    try {
      client.createStream(r -> r.streamName(stream).shardCount(1)).join();
      check(false, "created twice");
    } catch (CompletionException e) {
      check(e.getCause() instanceof ResourceInUseException, e.getCause());
      check(((ResourceInUseException) e.getCause()).requestId() != null, "a request id");
    }
    done("CreateStream, DescribeStreamSummary, an error of the service with its request id");
    PutRecordResponse first = get(client.putRecord(r -> r.streamName(stream).partitionKey("k").data(SdkBytes.fromUtf8String("0"))));
    put(stream, 1, 500);
    List<Record> read = readAll(stream, first.shardId());
    check(texts(read).equals(numbers(0, 500)), texts(read));
    check(read.get(0).sequenceNumber().equals(first.sequenceNumber()), read.get(0));
    long age = Duration.between(read.get(0).approximateArrivalTimestamp(), Instant.now()).toMillis();
    check(age >= 0 && age < 60_000, "arrival " + age + " ms ago");
    byte[] all = new byte[256];
    for (int i = 0; i < 256; ++i) all[i] = (byte) i;
    get(client.putRecord(r -> r.streamName(stream).partitionKey("\u6d41\u308c").data(SdkBytes.fromByteArray(all))));
    Record binary = readAll(stream, first.shardId()).get(500);
    check(java.util.Arrays.equals(binary.data().asByteArray(), all) && binary.partitionKey().equals("\u6d41\u308c"), binary);
    String later = get(client.getShardIterator(r -> r.streamName(stream).shardId(first.shardId())
        .shardIteratorType(ShardIteratorType.AT_TIMESTAMP).timestamp(read.get(0).approximateArrivalTimestamp()))).shardIterator();
    check(get(client.getRecords(r -> r.shardIterator(later).limit(10))).records().size() == 10, "AT_TIMESTAMP, Limit");
    done("PutRecord, PutRecords, GetShardIterator, GetRecords: order, bytes, times");
    // Fifty calls at once: with HTTP/2 on one connection.
    List<CompletableFuture<PutRecordResponse>> many = new ArrayList<>();
    for (String n : numbers(0, 50))
      many.add(client.putRecord(r -> r.streamName(stream).partitionKey(n).data(SdkBytes.fromUtf8String(n))));
    Set<String> sequences = new HashSet<>();
    for (CompletableFuture<PutRecordResponse> one : many) sequences.add(get(one).sequenceNumber());
    check(sequences.size() == 50, sequences);
    done("50 PutRecord side by side");
    get(client.deleteStream(r -> r.streamName(stream)));
  }

  static void resharding(String stream) throws Exception {
    get(client.createStream(r -> r.streamName(stream).shardCount(1)));
    active(stream);
    put(stream, 0, 100);
    String parent = openShards(stream).get(0).shardId();
    get(client.splitShard(r -> r.streamName(stream).shardToSplit(parent).newStartingHashKey(BigInteger.ONE.shiftLeft(127).toString())));
    active(stream);
    check(texts(readAll(stream, parent)).equals(numbers(0, 100)), "the parent keeps its records");
    List<Shard> halves = openShards(stream);
    check(halves.size() == 2 && halves.stream().allMatch(s -> s.parentShardId().equals(parent)), halves);
    put(stream, 100, 200);
    get(client.mergeShards(r -> r.streamName(stream).shardToMerge(halves.get(0).shardId()).adjacentShardToMerge(halves.get(1).shardId())));
    active(stream);
    List<Shard> merged = openShards(stream);
    check(merged.size() == 1 && merged.get(0).adjacentParentShardId().equals(halves.get(1).shardId()), merged);
    UpdateShardCountResponse count = get(client.updateShardCount(r -> r.streamName(stream).targetShardCount(2)
        .scalingType(ScalingType.UNIFORM_SCALING)));
    check(count.currentShardCount() == 1 && count.targetShardCount() == 2, count);
    active(stream);
    check(openShards(stream).size() == 2, "two open shards");
    put(stream, 200, 300);
    Set<String> all = new HashSet<>();
    for (Shard shard : get(client.listShards(r -> r.streamName(stream))).shards()) all.addAll(texts(readAll(stream, shard.shardId())));
    check(all.equals(new HashSet<>(numbers(0, 300))), all.size() + " of 300 records");
    done("SplitShard, MergeShards, UpdateShardCount, ListShards: nothing lost");
    get(client.deleteStream(r -> r.streamName(stream)));
  }

  static void fanOut(String stream) throws Exception {
    get(client.createStream(r -> r.streamName(stream).shardCount(1)));
    active(stream);
    String arn = get(client.describeStreamSummary(r -> r.streamName(stream))).streamDescriptionSummary().streamARN();
    String consumer = get(client.registerStreamConsumer(r -> r.streamARN(arn).consumerName("fan"))).consumer().consumerARN();
    eventually("consumer ACTIVE", () -> get(client.describeStreamConsumer(r -> r.consumerARN(consumer))).consumerDescription()
        .consumerStatus() == ConsumerStatus.ACTIVE);
    String shard = openShards(stream).get(0).shardId();
    put(stream, 0, 100);
    Subscription first = new Subscription(consumer, shard, p -> p.type(ShardIteratorType.TRIM_HORIZON));
    first.await("100 records", () -> first.records().size() >= 100);
    put(stream, 100, 150);
    first.await("150 records", () -> first.records().size() >= 150);
    check(texts(first.records()).equals(numbers(0, 150)), texts(first.records()));
    done("RegisterStreamConsumer, DescribeStreamConsumer, SubscribeToShard: what is there and what comes");
    Subscription second = new Subscription(consumer, shard, p -> p.type(ShardIteratorType.LATEST));
    try {
      second.ended.get(10, TimeUnit.SECONDS);
      check(false, "two subscriptions at once");
    } catch (java.util.concurrent.ExecutionException e) {
      check(e.getCause() instanceof ResourceInUseException, e.getCause());
    }
    done("a second subscription within five seconds is refused");
    // An empty event comes every five seconds; from its number the next subscription goes on.
    int before = first.events.size();
    first.await("a heartbeat", () -> first.events.size() > before && first.events.get(first.events.size() - 1).records().isEmpty());
    String position = first.last();
    check(position != null, "a continuation number");
    Subscription resumed = new Subscription(consumer, shard,
        p -> p.type(ShardIteratorType.AFTER_SEQUENCE_NUMBER).sequenceNumber(position));
    put(stream, 150, 200);
    resumed.await("the resumed subscription", () -> resumed.records().size() >= 50);
    check(texts(resumed.records()).equals(numbers(150, 200)), texts(resumed.records()));
    try {
      first.ended.get(20, TimeUnit.SECONDS);
      check(false, "the older subscription ends as if all were sent");
    } catch (java.util.concurrent.ExecutionException e) {
      check(e.getCause() instanceof ResourceInUseException, e.getCause());
    }
    check(texts(first.records()).equals(numbers(0, 150)), "no record goes to the older subscription");
    done("SubscribeToShard resumed after an empty event's continuation number; the older subscription ends");
    String last = resumed.last();
    Instant split = Instant.now();
    get(client.splitShard(r -> r.streamName(stream).shardToSplit(shard).newStartingHashKey(BigInteger.ONE.shiftLeft(127).toString())));
    resumed.ended.get(20, TimeUnit.SECONDS);
    long took = Duration.between(split, Instant.now()).toMillis();
    SubscribeToShardEvent end = resumed.events.get(resumed.events.size() - 1);
    check(end.continuationSequenceNumber() == null && end.childShards().size() == 2, end);
    check(last != null, "a number before the end");
    for (ChildShard child : end.childShards()) {
      check(child.parentShards().equals(List.of(shard)), child);
      Subscription next = new Subscription(consumer, child.shardId(), p -> p.type(ShardIteratorType.TRIM_HORIZON));
      get(client.putRecord(r -> r.streamName(stream).partitionKey("k").explicitHashKey(child.hashKeyRange().startingHashKey())
          .data(SdkBytes.fromUtf8String(child.shardId()))));
      next.await("the child's record", () -> texts(next.records()).equals(List.of(child.shardId())));
    }
    done("a split ends the subscription with its children, after " + took + " ms");
    check(get(client.listStreamConsumers(r -> r.streamARN(arn))).consumers().size() == 1, "one consumer");
    get(client.deregisterStreamConsumer(r -> r.consumerARN(consumer)));
    eventually("no consumer", () -> get(client.listStreamConsumers(r -> r.streamARN(arn))).consumers().isEmpty());
    get(client.deleteStream(r -> r.streamName(stream).enforceConsumerDeletion(true)));
    eventually("stream gone", () -> {
      try {
        client.describeStreamSummary(r -> r.streamName(stream)).join();
        return false;
      } catch (CompletionException e) {
        if (e.getCause() instanceof ResourceNotFoundException) return true;
        throw e;
      }
    });
    done("ListStreamConsumers, DeregisterStreamConsumer, DeleteStream");
  }

  public static void main(String[] arguments) throws Exception {
    mode = arguments[0];
    open(URI.create(arguments[1]), arguments.length > 2 ? arguments[2] : null);
    String suffix = UUID.randomUUID().toString().substring(0, 8);
    records("java-records-" + suffix);
    resharding("java-reshard-" + suffix);
    // The SDK offers event streams over HTTP/2 only.
    if (!mode.equals("http1")) fanOut("java-fan-" + suffix);
    boolean cbor = contentTypes.contains("application/x-amz-cbor-1.1");
    check(cbor == !"false".equals(System.getProperty("aws.cborEnabled")), contentTypes);
    check(mode.equals("http1") || contentTypes.contains("application/vnd.amazon.eventstream"), contentTypes);
    done("all parts, content types " + new java.util.TreeSet<>(contentTypes));
    client.close();
    System.exit(0);
  }
}
