import java.math.BigInteger;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.awscore.client.builder.AwsClientBuilder;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.cloudwatch.CloudWatchAsyncClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.services.kinesis.model.Shard;
import software.amazon.awssdk.services.kinesis.model.ShardFilterType;
import software.amazon.awssdk.services.kinesis.model.StreamStatus;
import software.amazon.kinesis.common.ConfigsBuilder;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.common.KinesisClientUtil;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.leases.LeaseManagementConfig;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.lifecycle.events.ShardEndedInput;
import software.amazon.kinesis.lifecycle.events.ShutdownRequestedInput;
import software.amazon.kinesis.metrics.MetricsConfig;
import software.amazon.kinesis.processor.RecordProcessorCheckpointer;
import software.amazon.kinesis.processor.ShardRecordProcessor;
import software.amazon.kinesis.processor.SingleStreamTracker;
import software.amazon.kinesis.retrieval.KinesisClientRecord;
import software.amazon.kinesis.retrieval.RetrievalConfig;
import software.amazon.kinesis.retrieval.polling.PollingConfig;

/**
 * A worker of a Kinesis Client Library application, with its defaults but for shorter intervals; the same source for KCL 2 and 3.
 *
 * <p>Consumer work ENDPOINT KEY SECRET STREAM APPLICATION WORKER polling|fanout: prints a line per event. Consumer reshard ENDPOINT KEY
 * SECRET STREAM: splits the first open shard in the middle and merges the last two.
 */
public class Consumer {
  static synchronized void say(String text) {
    System.out.println(System.currentTimeMillis() + " " + text);
    System.out.flush();
  }

  /** Prints what it gets, checkpoints behind every batch. */
  static class Processor implements ShardRecordProcessor {
    private String shard;

    public void initialize(InitializationInput input) {
      shard = input.shardId();
      say("start " + shard);
    }

    public void processRecords(ProcessRecordsInput input) {
      for (KinesisClientRecord record : input.records()) {
        byte[] data = new byte[record.data().remaining()];
        record.data().get(data);
        say("record " + shard + " " + record.sequenceNumber() + " " + record.subSequenceNumber() + " " + record.aggregated() + " "
            + record.partitionKey() + " " + new String(data, StandardCharsets.UTF_8));
      }
      checkpoint(input.checkpointer());
    }

    public void leaseLost(LeaseLostInput input) {
      say("lost " + shard);
    }

    public void shardEnded(ShardEndedInput input) {
      checkpoint(input.checkpointer());
      say("end " + shard);
    }

    public void shutdownRequested(ShutdownRequestedInput input) {
      checkpoint(input.checkpointer());
    }

    private void checkpoint(RecordProcessorCheckpointer checkpointer) {
      try {
        checkpointer.checkpoint();
      } catch (Exception failure) {
        say("checkpoint-failed " + shard + " " + failure);
      }
    }
  }

  static <B extends AwsClientBuilder<B, C>, C> B at(B builder, String[] arguments) {
    return builder.endpointOverride(URI.create(arguments[1])).region(Region.US_EAST_1).credentialsProvider(
        StaticCredentialsProvider.create(AwsBasicCredentials.create(arguments[2], arguments[3])));
  }

  /** Sets what only one of the versions knows. */
  static void setIfKnown(Object config, String name, Class<?> type, Object value) throws Exception {
    try {
      config.getClass().getMethod(name, type).invoke(config, value);
    } catch (NoSuchMethodException ignored) {
      // the other version
    }
  }

  static void work(String[] arguments) throws Exception {
    String stream = arguments[4];
    String application = arguments[5];
    KinesisAsyncClient kinesis = KinesisClientUtil.createKinesisAsyncClient(at(KinesisAsyncClient.builder(), arguments));
    DynamoDbAsyncClient dynamo = at(DynamoDbAsyncClient.builder(), arguments).build();
    CloudWatchAsyncClient cloudWatch = at(CloudWatchAsyncClient.builder(), arguments).build();
    SingleStreamTracker tracker =
        new SingleStreamTracker(stream, InitialPositionInStreamExtended.newInitialPosition(InitialPositionInStream.TRIM_HORIZON));
    ConfigsBuilder configs = new ConfigsBuilder(tracker, application, kinesis, dynamo, cloudWatch, arguments[6], Processor::new);
    LeaseManagementConfig leases = configs.leaseManagementConfig().failoverTimeMillis(4000).shardSyncIntervalMillis(2000);
    setIfKnown(leases, "leaseAssignmentIntervalMillis", Long.class, 4000L);
    RetrievalConfig retrieval = configs.retrievalConfig();
    if (arguments[7].equals("polling")) retrieval.retrievalSpecificConfig(new PollingConfig(stream, kinesis).idleTimeBetweenReadsInMillis(300));
    MetricsConfig metrics = configs.metricsConfig().metricsBufferTimeMillis(1500);
    Scheduler scheduler = new Scheduler(configs.checkpointConfig(),
        configs.coordinatorConfig().parentShardPollIntervalMillis(1000).shardConsumerDispatchPollIntervalMillis(200), leases,
        configs.lifecycleConfig(), metrics, configs.processorConfig(), retrieval);
    // At the end of standard input. Not startGracefulShutdown: KCL 2 then waits for ever for leases of ended shards that it took over.
    Thread stop = new Thread(() -> {
      try {
        while (System.in.read() >= 0) {
          // goes on
        }
      } catch (Exception failure) {
        say("stop-failed " + failure);
      }
      scheduler.shutdown();
    });
    stop.setDaemon(true);
    stop.start();
    say("working");
    scheduler.run();
    say("stopped");
  }

  static void reshard(String[] arguments) throws Exception {
    String stream = arguments[4];
    KinesisAsyncClient kinesis = at(KinesisAsyncClient.builder(), arguments).build();
    List<Shard> shards = kinesis.listShards(list -> list.streamName(stream).shardFilter(filter -> filter.type(ShardFilterType.AT_LATEST)))
        .get().shards().stream().sorted(Comparator.comparing(shard -> new BigInteger(shard.hashKeyRange().startingHashKey())))
        .collect(Collectors.toList());
    Shard first = shards.get(0);
    BigInteger middle = new BigInteger(first.hashKeyRange().startingHashKey()).add(new BigInteger(first.hashKeyRange().endingHashKey()))
        .shiftRight(1);
    kinesis.splitShard(split -> split.streamName(stream).shardToSplit(first.shardId()).newStartingHashKey(middle.toString())).get();
    waitActive(kinesis, stream);
    Shard left = shards.get(shards.size() - 2);
    Shard right = shards.get(shards.size() - 1);
    kinesis.mergeShards(merge -> merge.streamName(stream).shardToMerge(left.shardId()).adjacentShardToMerge(right.shardId())).get();
    waitActive(kinesis, stream);
    say("resharded " + first.shardId() + " " + left.shardId() + " " + right.shardId());
  }

  static void waitActive(KinesisAsyncClient kinesis, String stream) throws Exception {
    while (kinesis.describeStreamSummary(describe -> describe.streamName(stream)).get().streamDescriptionSummary().streamStatus()
        != StreamStatus.ACTIVE) {
      Thread.sleep(100);
    }
  }

  public static void main(String[] arguments) throws Exception {
    if (arguments[0].equals("work")) {
      work(arguments);
    } else {
      reshard(arguments);
    }
    System.exit(0);
  }
}
