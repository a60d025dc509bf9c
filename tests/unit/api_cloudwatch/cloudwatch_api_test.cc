#include "honryu/api/cloudwatch/cloudwatch_api.h"

#include "api/cloudwatch/metric_data.h"
#include "api/cloudwatch/series.h"
#include "honryu/async/runtime.h"
#include "honryu/codec/cbor.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

namespace honryu::api::cloudwatch {
namespace {

constexpr const char* kForm = "application/x-www-form-urlencoded; charset=utf-8";

class CloudWatchApiTest : public ::testing::Test {
 protected:
  CloudWatchApiTest() : runtime_(async::RuntimeOptions{1, 1}) { Configure({}); }
  void Configure(CloudWatchApiConfig config) {
    api_ = std::make_unique<CloudWatchApi>(std::move(config), clock_, metrics_);
  }
  static http::Request Request(std::string body, const std::string& type, const std::string& path = "/",
                               const std::string& target = "") {
    http::Request request;
    request.method = "POST";
    request.target = request.path = path;
    request.headers.Add("Content-Type", type);
    if (!target.empty()) request.headers.Add("X-Amz-Target", target);
    const std::size_t size = body.size();
    body.append(http::kBodyPadding, '\0');
    request.body = Bytes(std::move(body)).Slice(0, size);
    request.request_id = "id-1";
    return request;
  }
  static http::Request JsonRequest(std::string body) {
    return Request(std::move(body), "application/x-amz-json-1.0", "/",
                   "GraniteServiceVersion20100801.PutMetricData");
  }
  static http::Request CborRequest(std::string body, const std::string& operation = "PutMetricData") {
    return Request(std::move(body), "application/cbor",
                   "/service/GraniteServiceVersion20100801/operation/" + operation);
  }
  http::Response Send(const http::Request& request) {
    EXPECT_TRUE(CloudWatchApi::Takes(request));
    return runtime_.BlockOn(api_->Handle({}, request));
  }
  bool Shows(const std::string& line) const {
    return metrics_.Render().find("\n" + line + "\n") != std::string::npos;
  }

  ManualClock clock_{TimestampFromMs(1790000000000)};
  obs::Registry metrics_;
  async::Runtime runtime_;
  std::unique_ptr<CloudWatchApi> api_;
};

TEST_F(CloudWatchApiTest, TheQueryProtocolIsFormsInXmlOut) {
  const http::Response response = Send(Request(
      "Action=PutMetricData&Version=2010-08-01&Namespace=my%20app&MetricData.member.1.MetricName=Lag&"
      "MetricData.member.1.Dimensions.member.1.Name=ShardId&MetricData.member.1.Dimensions.member.1.Value=s-"
      "1&"
      "MetricData.member.1.StatisticValues.SampleCount=4&MetricData.member.1.StatisticValues.Sum=10.0&"
      "MetricData.member.1.StatisticValues.Minimum=1&MetricData.member.1.StatisticValues.Maximum=5&"
      "MetricData.member.1.Unit=Milliseconds&MetricData.member.2.MetricName=Plain&MetricData.member.2.Value="
      "2",
      kForm));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.headers.Get("Content-Type"), "text/xml");
  EXPECT_NE(std::string(response.body.view()).find("<RequestId>id-1</RequestId>"), std::string::npos);
  const std::string labels =
      R"({dimension_shard_id="s-1",metric="Lag",namespace="my app",unit="Milliseconds"})";
  EXPECT_TRUE(Shows("honryu_cloudwatch_sum" + labels + " 10")) << metrics_.Render();
  EXPECT_TRUE(Shows("honryu_cloudwatch_samples_total" + labels + " 4"));
  EXPECT_TRUE(Shows("honryu_cloudwatch_minimum" + labels + " 1"));
  EXPECT_TRUE(Shows("honryu_cloudwatch_maximum" + labels + " 5"));
  EXPECT_TRUE(Shows("honryu_cloudwatch_average" + labels + " 2.5"));
  EXPECT_TRUE(Shows(R"(honryu_cloudwatch_sum{metric="Plain",namespace="my app",unit="None"} 2)"));
}

TEST_F(CloudWatchApiTest, JsonAndCborSayTheSame) {
  const std::string body =
      R"({"Namespace":"app","MetricData":[{"MetricName":"m","Values":[1,3],"Counts":[3,1]}]})";
  http::Response response = Send(JsonRequest(body));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body.view(), "{}");
  std::string cbor;
  codec::CborWriter writer(cbor);
  writer.BeginMap();
  writer.Text("Namespace");
  writer.Text("app");
  writer.Text("MetricData");
  writer.BeginArray(1);
  writer.BeginMap(3);
  writer.Text("MetricName");
  writer.Text("m");
  writer.Text("Value");
  writer.Double(4.5);
  writer.Text("Timestamp");
  writer.Tag(1);
  writer.Double(1790000000.5);
  writer.End();
  response = Send(CborRequest(cbor));
  EXPECT_EQ(response.status, 200) << response.body.view();
  EXPECT_EQ(response.headers.Get("smithy-protocol"), "rpc-v2-cbor");
  EXPECT_EQ(response.body.view(), "\xa0");
  EXPECT_TRUE(Shows(R"(honryu_cloudwatch_sum{metric="m",namespace="app",unit="None"} 10.5)"))
      << metrics_.Render();
  EXPECT_TRUE(Shows(R"(honryu_cloudwatch_samples_total{metric="m",namespace="app",unit="None"} 5)"));
  EXPECT_TRUE(Shows(R"(honryu_cloudwatch_average{metric="m",namespace="app",unit="None"} 4.5)"));
}

TEST_F(CloudWatchApiTest, FaultsAreInEachProtocolsShape) {
  http::Response response =
      Send(Request("Action=PutMetricData&Version=2010-08-01&Namespace=a&MetricData.member.1.Value=1", kForm));
  EXPECT_EQ(response.status, 400);
  EXPECT_NE(std::string(response.body.view()).find("<Code>InvalidParameterValue</Code>"), std::string::npos);
  response = Send(Request("Action=ListMetrics&Version=2010-08-01", kForm));
  EXPECT_NE(std::string(response.body.view()).find("<Code>InvalidAction</Code>"), std::string::npos);
  response = Send(JsonRequest(R"({"Namespace":""})"));
  EXPECT_NE(std::string(response.body.view()).find("#InvalidParameterValueException\""), std::string::npos);
  EXPECT_EQ(response.headers.Get("x-amzn-query-error"), "InvalidParameterValue;Sender");
  response = Send(CborRequest("\xff\xff"));
  EXPECT_EQ(response.status, 400);
  const Result<codec::Json> fault = codec::ParseCbor(response.body);
  ASSERT_TRUE(fault.ok());
  EXPECT_EQ(fault->Find("__type")->StringOr(""), "com.amazonaws.cloudwatch#SerializationException");
  EXPECT_EQ(Send(CborRequest("\xa0", "DeleteAlarms")).status, 400);
}

TEST_F(CloudWatchApiTest, ImpossibleNumbersAreRefused) {
  for (const char* value : {"1e999", "\"1\"", "null", "[]", "1e200"}) {
    const std::string body =
        std::string(R"({"Namespace":"a","MetricData":[{"MetricName":"m","Value":)") + value + "}]}";
    EXPECT_EQ(Send(JsonRequest(body)).status, 400) << value;
  }
  EXPECT_EQ(
      Send(JsonRequest(R"({"Namespace":"a","MetricData":[{"MetricName":"m","Values":[1],"Counts":[0]}]})"))
          .status,
      400);
  EXPECT_EQ(
      Send(JsonRequest(R"({"Namespace":"a","MetricData":[{"MetricName":"m","Values":[1],"Counts":[1,2]}]})"))
          .status,
      400);
}

TEST_F(CloudWatchApiTest, SeriesAreBoundedAndTheRestIsCounted) {
  CloudWatchApiConfig config;
  config.max_series = 3;
  api_.reset();
  Configure(config);
  std::string data;
  for (int i = 0; i < 10; ++i)
    data += (i == 0 ? "" : ",") + std::string(R"({"MetricName":"m)") + std::to_string(i) + R"(","Value":1})";
  EXPECT_EQ(Send(JsonRequest(R"({"Namespace":"a","MetricData":[)" + data + "]}")).status, 200);
  EXPECT_TRUE(Shows("honryu_cloudwatch_series 3"));
  EXPECT_TRUE(Shows(R"(honryu_cloudwatch_dropped_data_total{reason="series_limit"} 7)")) << metrics_.Render();
  // Those that get no more data make room, also when nobody sends any.
  clock_.Advance(std::chrono::minutes(16));
  EXPECT_EQ(metrics_.Render().find("metric=\"m0\""), std::string::npos);
  EXPECT_TRUE(Shows("honryu_cloudwatch_series 0"));
  EXPECT_EQ(Send(JsonRequest(R"({"Namespace":"a","MetricData":[{"MetricName":"new","Value":1}]})")).status,
            200);
  EXPECT_TRUE(Shows("honryu_cloudwatch_series 1"));
}

TEST_F(CloudWatchApiTest, NamesAndValuesAreMadeFitForLabels) {
  EXPECT_EQ(LabelPart("WorkerIdentifier"), "worker_identifier");
  EXPECT_EQ(LabelPart("shard-id 7/\xc3\xa9"), "shard_id_7___");
  EXPECT_EQ(LabelPart(std::string(300, 'x')).size(), 64u);
  EXPECT_EQ(
      Send(JsonRequest(R"({"Namespace":"a\"b\n","MetricData":[{"MetricName":"m","Value":1,"Dimensions":[)"
                       R"({"Name":"A B","Value":"1"},{"Name":"A-B","Value":"2"}]}]})"))
          .status,
      200);
  EXPECT_TRUE(Shows(
      R"(honryu_cloudwatch_sum{dimension_a_b="1",dimension_a_b_2="2",metric="m",namespace="a\"b ",unit="None"} 1)"))
      << metrics_.Render();
}

TEST_F(CloudWatchApiTest, PagesOfOtherOriginsMayNotCall) {
  http::Request request = JsonRequest(R"({"Namespace":"a","MetricData":[]})");
  request.headers.Add("Origin", "https://evil.example");
  EXPECT_EQ(Send(request).status, 400);
  EXPECT_NE(std::string(Send(request).body.view()).find("AccessDenied"), std::string::npos);
}

TEST(MetricForm, IsBoundedInSize) {
  std::string form = "Namespace=a";
  for (int i = 1; i <= 1001; ++i)
    form += "&MetricData.member." + std::to_string(i) + ".MetricName=m&MetricData.member." +
            std::to_string(i) + ".Value=1";
  EXPECT_NE(ReadMetricForm(form).error().message().find("greater than 1000"), std::string::npos);
  EXPECT_FALSE(ReadMetricForm(std::string(300000, '&')).ok());
  EXPECT_FALSE(ReadMetricForm("Namespace=%zz").ok());
}

}  // namespace
}  // namespace honryu::api::cloudwatch
