#include "tuner/portfolio.h"

#include <gtest/gtest.h>

#include <cmath>

namespace loratune {
namespace {

using Chosen = std::vector<std::size_t>;
const double kNone = std::nan("");

double ln(double time) { return std::log(time); }

TEST(Portfolio, OneProgramServesAllThatItIsNearlyBestFor) {
  // Program 2 is never the best and always within 2 %.
  const std::vector<std::vector<double>> times = {{ln(1.00), ln(1.50), ln(1.02)},
                                                  {ln(2.00), ln(1.00), ln(1.02)}};
  EXPECT_EQ(portfolio(times, 0.03), Chosen{2});
  EXPECT_EQ(portfolio(times, 0.01), (Chosen{0, 1}));
}

TEST(Portfolio, EveryProblemIsServedOrHasNoTime) {
  const std::vector<std::vector<double>> times = {{ln(5), kNone, ln(9)},
                                                  {kNone, ln(3), kNone},
                                                  {kNone, kNone, kNone},
                                                  {ln(7), kNone, ln(1)},
                                                  {ln(4), ln(8), kNone}};
  EXPECT_EQ(portfolio(times, 0.03), (Chosen{0, 1, 2}));
}

TEST(Portfolio, OfNothingIsNothing) {
  EXPECT_TRUE(portfolio({}, 0.03).empty());
  EXPECT_TRUE(portfolio({{}, {}}, 0.03).empty());
}

}  // namespace
}  // namespace loratune
