#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "harness/base/config_fault.h"
#include "harness/base/failure.h"
#include "harness/base/options.h"
#include "harness/base/selection.h"
#include "harness/base/shell_word.h"
#include "harness/base/tool_info.h"
#include "harness/cli/parse.h"
#include "temporary_folder.h"

namespace loratune {
namespace {

using Words = std::vector<std::string>;

Options parse(const Words& words) {
  std::vector<const char*> argv = {"lora-bench"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  return parse_command_line(static_cast<int>(argv.size()), argv.data());
}

std::vector<Problem> problems(const Words& words) { return select_problems(parse(words)); }

// The line that the user sees; empty where the action does not fail.
template <class Action>
std::string refusal(Action action) {
  try {
    action();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code(), kExitUsage);
    std::string line = failure.what();
    EXPECT_FALSE(line.empty());
    EXPECT_EQ(line.find('\n'), std::string::npos) << line;
    return line;
  }
  return {};
}

Words with(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

TEST(CommandLine, KnowsItsModes) {
  EXPECT_EQ(parse({"--list"}).command, Command::list);
  EXPECT_EQ(parse({"--check"}).command, Command::check);
  EXPECT_EQ(parse({"--sweep"}).command, Command::sweep);
  EXPECT_EQ(parse({"--pick", "k"}).command, Command::pick);
  EXPECT_EQ(parse({"--merge", "a", "b", "--out", "c"}).command, Command::merge);
  EXPECT_EQ(parse({"--merge", "a", "b", "--out", "c"}).merge, (Words{"a", "b"}));
  EXPECT_EQ(parse({"--replay", "j"}).command, Command::replay_sweep);
  EXPECT_EQ(parse({"--sweep", "--replay", "j"}).command, Command::replay_sweep);
  EXPECT_EQ(parse({"--sweep", "--record", "r"}).command, Command::record);
  EXPECT_EQ(parse({"--worker"}).command, Command::worker);
  EXPECT_EQ(parse({"--emit", "d", "--tuned", "t", "--tokens", "1"}).command, Command::emit);
  EXPECT_EQ(parse({"--help"}).command, Command::help);
  EXPECT_NE(parse({"--sweep", "--help"}).help.find("--budget"), std::string::npos);
}

TEST(CommandLine, HelpOfAModeHasTheOptionsThatItReads) {
  const std::string all = parse({"--help"}).help;
  const std::string bench = parse({"--bench", "--help"}).help;
  for (const char* option : {"--budget", "--tuned", "--device"}) {
    EXPECT_NE(bench.find(option), std::string::npos) << option;
  }
  for (const char* option : {"--resume", "--junit", "--strategy"}) {
    EXPECT_NE(all.find(option), std::string::npos) << option;
    EXPECT_EQ(bench.find(option), std::string::npos) << option;
  }
}

TEST(CommandLine, HelpOfAModeBeginsWithWhatItDoes) {
  const std::string sweep = parse({"--sweep", "--help"}).help;
  EXPECT_TRUE(sweep.starts_with("--sweep: Check, tune, and write the tuned file\n")) << sweep;
  EXPECT_EQ(sweep.find("\n  --merge"), std::string::npos) << "another mode";
  const std::string record = parse({"--sweep", "--record", "r", "--help"}).help;
  EXPECT_TRUE(record.starts_with("--record: ")) << record;
  EXPECT_NE(record.find("--configs"), std::string::npos);
  const std::string replay = parse({"--replay", "r", "--help"}).help;
  for (const char* option : {"--forget", "--strategy", "--junit"}) {
    EXPECT_NE(replay.find(option), std::string::npos)
        << option << ": a replay of some file takes it";
  }
  EXPECT_NE(parse({"--list", "--help"}).help.find("--adapter"), std::string::npos);
}

TEST(CommandLine, VersionNamesTheBuild) {
  const Options options = parse({"--version"});
  EXPECT_EQ(options.command, Command::help) << "prints, and is good";
  EXPECT_EQ(options.help,
            "lora-bench " + tool_info().version + ", commit " + tool_info().commit + "\n");
}

TEST(CommandLine, PagesAndCompletionsKnowEveryOptionOfHelp) {
  const std::string help = parse({"--help"}).help;
  const std::string bash = parse({"--print", "bash"}).help;
  const std::string zsh = parse({"--print", "zsh"}).help;
  std::string man = parse({"--print", "man"}).help;
  EXPECT_EQ(parse({"--print", "man"}).command, Command::help);
  for (std::size_t at = 0; (at = man.find('\\', at)) != std::string::npos;) man.erase(at, 1);
  int tried = 0;
  for (std::size_t at = 0; (at = help.find("\n  --", at)) != std::string::npos; ++at) {
    const std::size_t begin = at + 3;
    const std::string name = help.substr(begin, help.find_first_of(" \n", begin) - begin);
    EXPECT_NE(man.find("fB" + name + "fR"), std::string::npos) << name;
    EXPECT_NE(zsh.find("*" + name + "["), std::string::npos) << name;
    EXPECT_NE(bash.find(name), std::string::npos) << name;
    ++tried;
  }
  EXPECT_GT(tried, 50);
  EXPECT_EQ(man.find("--worker"), std::string::npos);
  EXPECT_NE(man.find("For --bench, "), std::string::npos);
  EXPECT_NE(refusal([] { parse({"--print", "fish"}); }), "");
  EXPECT_NE(refusal([] { parse({"--print", "man", "--budget", "1s"}); }), "");
}

TEST(CommandLine, NamesTwoModesAtOnce) {
  EXPECT_EQ(refusal([] {
              parse({"--check", "--list"});
            }),
            "--list and --check are two modes; one is wanted");
  EXPECT_EQ(refusal([] {
              parse({"--gate", "b", "--replay", "g"});
            }),
            "--gate and --replay are two modes; one is wanted");
}

TEST(CommandLine, AnEmptyValueIsRefusedOfEveryOption) {
  const std::string help = parse({"--help"}).help;
  int tried = 0;
  for (std::size_t at = 0; (at = help.find("\n  --", at)) != std::string::npos; ++at) {
    const std::size_t begin = at + 3;
    const std::string name = help.substr(begin, help.find_first_of(" \n", begin) - begin);
    for (const Words& words :
         {Words{"--list", name, ""}, Words{"--sweep", name + "="}, Words{name, "", "--json"}}) {
      EXPECT_EQ(refusal([&] { parse(words); }), name + ": its value is empty")
          << testing::PrintToString(words);
    }
    ++tried;
  }
  EXPECT_GT(tried, 50);
  EXPECT_NE(refusal([] { parse({"--bench", "--benchmark_filter="}); }), "");
  EXPECT_NE(refusal([] { parse({"", "--list"}); }), "");
  EXPECT_NE(refusal([] { parse({"--merge", "a", "", "--out", "c"}); }), "");
}

TEST(CommandLine, AnOptionThatTheModeWouldDropIsRefused) {
  const Words on_host = {"--forward", "--host",   "--adapter", "a",   "--out",
                         "y",         "--module", "q",         "--x", "x"};
  const std::pair<Words, std::string> cases[] = {
      {{"--pick", "k", "--variants", "naive"}, "--variants is not for --pick"},
      {{"--list", "--budget", "1s"}, "--budget is not for --list"},
      {{"--check", "--tuned", "t"}, "--tuned is not for --check"},
      {{"--sweep", "--against", "p"}, "--against is not for --sweep"},
      {{"--sweep", "--tuned", "t"}, "--tuned is not for --sweep"},
      {{"--bench", "--out", "o"}, "--out is not for --bench"},
      {{"--verify", "t", "--tokens", "1"}, "--tokens is not for --verify"},
      {{"--merge", "a", "--out", "o", "--seed", "1"}, "--seed is not for --merge"},
      {{"--export-plans", "p", "--strict"}, "--strict is not for --export-plans"},
      {{"--gate", "b", "--repeat-work", "9"}, "--repeat-work is not for --gate"},
      {{"--replay", "j", "--device", "0"}, "--device is not for --replay of a journal"},
      {{"--replay", "j", "--resume"}, "--resume is not for --replay of a journal"},
      {{"--sweep", "--record", "r", "--out", "o"}, "--out is not for --sweep --record"},
      {{"--sweep", "--benchmark_filter=x"}, "--benchmark_filter=x is not for --sweep"},
      {{"--gate", "b", "--against", "p", "--tuned", "t"},
       "--tuned makes the plans of this build; --against has others"},
      {{"--gate", "b", "--mode", "fast", "--against", "p"},
       "--mode makes the plans of this build; --against has others"},
      {with(on_host, {"--device", "0"}), "--device is not for --host"},
      {with(on_host, {"--tuned", "t"}), "--tuned is not for --host"},
      {with(on_host, {"--mode", "fast"}), "--mode is not for --host"},
  };
  for (const auto& one : cases) EXPECT_EQ(refusal([&] { parse(one.first); }), one.second);
}

// What README, scripts and CI write.
TEST(CommandLine, TakesWhatEachModeReads) {
  const Words grid = {"--device", "0", "--tokens", "1", "--ranks", "8", "--dtypes", "f16"};
  const Words timing = {"--seed", "7", "--lock-wait", "1m"};
  for (const char* mode : {"--list", "--check", "--sweep", "--bench"}) {
    EXPECT_EQ(refusal([&] { parse(with({mode, "--json"}, grid)); }), "") << mode;
  }
  const Words lines[] = {
      with(with({"--sweep", "--cache", "rotate", "--mode", "batch_invariant"}, grid), timing),
      {"--sweep", "--quick", "--weights", "w", "--evaluations", "9", "--builders", "0"},
      {"--sweep", "--record", "r", "--problems", "p", "--configs", "120", "--budget", "1h"},
      with({"--bench", "--tuned", "t", "--budget", "60s", "--benchmark_filter=x"}, timing),
      with({"--verify", "t", "--json", "--device", "0", "--budget", "9"}, timing),
      {"--pick", "k", "--tuned", "t", "--json", "--device", "0", "--mode", "deterministic"},
      {"--merge", "a", "b", "--out", "c", "--json"},
      with({"--export-plans", "p", "--tuned", "t", "--repeat-work", "0", "--mode", "fast"}, grid),
      with(with({"--gate", "b", "--against", "p", "--out", "g", "--looks", "20,40"}, grid), timing),
      {"--gate", "b", "--time-unchanged", "--strict", "--allow-missing", "c", "--junit", "j"},
      {"--replay", "j", "--out", "again.json", "--json"},
      {"--check", "--full", "--cases", "40", "--max-flops", "2e7", "--variants", "naive"},
      {"--check", "--problem", "k", "--config", "A=1", "--strides", "1,2,3,4"},
      {"--check", "--patience", "2m"},
      {"--bench", "--patience", "9"},
  };
  for (const Words& words : lines) {
    EXPECT_EQ(refusal([&] { parse(words); }), "") << testing::PrintToString(words);
  }
}

TEST(CommandLine, AReplayIsOfWhatTheFileHolds) {
  const TemporaryFolder folder;
  const std::string path = (folder / "gate.json").string();
  write_bytes(path, "{}");
  EXPECT_EQ(parse({"--replay", path, "--junit", "j", "--markdown", "m"}).command,
            Command::replay_gate);
  EXPECT_EQ(refusal([&] {
              parse({"--replay", path, "--out", "o"});
            }),
            "--out is not for --replay of a gate");
  for (const char* gate : {"\xef\xbb\xbf{}", "\n {\"a\": 1}", R"({"schema": "loratune/gate"})"}) {
    write_bytes(path, gate);
    EXPECT_EQ(parse({"--replay", path}).command, Command::replay_gate) << gate;
  }
  const std::string tuned = read_bytes(LORATUNE_SOURCE_DIR "/tests/data/fictional.json");
  ASSERT_FALSE(tuned.empty());
  for (const std::string& other : {tuned, std::string(R"({"schema" : "loratune/plans"})")}) {
    write_bytes(path, other);
    EXPECT_EQ(parse({"--replay", path, "--out", "o"}).command, Command::replay_sweep) << other;
  }
  const std::string fifo = (folder / "fifo").string();
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(parse({"--replay", fifo}).command, Command::replay_sweep) << "and does not wait for it";
}

TEST(ShellWord, IsOneWordWhateverItHolds) {
  EXPECT_EQ(shell_word("build/base-1.json"), "build/base-1.json");
  EXPECT_EQ(shell_word(""), "''");
  EXPECT_EQ(shell_word("NVIDIA H200"), "'NVIDIA H200'");
  EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_word("$(x)"), "'$(x)'");
}

TEST(CommandLine, SaysWhatWasMeant) {
  const std::pair<Words, std::string> cases[] = {
      {{"--list", "--token", "1"}, "--token: there is no such option; did you mean --tokens?"},
      {{"--list", "--token=1"}, "--token: there is no such option; did you mean --tokens?"},
      {{"--sweap"}, "--sweap: there is no such option; did you mean --sweep?"},
      {{"--list", "--out_features", "1"},
       "--out_features: there is no such option; did you mean --out-features?"},
      {{"--list", "--no-such-option"}, "--no-such-option: there is no such option; see --help"},
      {{"--list", "quick"}, "quick: a word without an option; did you mean --quick?"},
      {{"--list", "--workr"}, "--workr: there is no such option; see --help"},
      {{"-list"}, "-list: there is no such option; did you mean --list?"},
      {{"--list", "-l"}, "-l: there is no such option; see --help"},
      {{"--list", "-1"}, "-1: there is no such option; see --help"},
      {{"--list", "--"}, "--: there is no such option; see --help"},
  };
  for (const auto& one : cases) EXPECT_EQ(refusal([&] { parse(one.first); }), one.second);
}

TEST(CommandLine, SaysWhichValuesThereAre) {
  const std::pair<Words, std::string> cases[] = {
      {{"--sweep", "--seed", "abc"}, "--seed: abc: a whole number from 0 on is wanted"},
      {{"--check", "--cases", "0"}, "--cases: 0: a whole number from 1 to 2147483647 is wanted"},
      {{"--check", "--max-flops", "0"}, "--max-flops: 0: a number above 0 is wanted"},
      {{"--sweep", "--builders", "65"}, "--builders: 65: a whole number from 0 to 64 is wanted"},
      {{"--check", "--ranks", "8.5"},
       "--ranks: 8.5: a whole number, at most 2147483647, is wanted"},
      {{"--check", "--patience", "0s"}, "--patience 0s: that is no time at all"},
      {{"--sweep", "--budget", "soon"}, "--budget soon: a time like 90s, 10m or 1h is wanted"},
      {{"--sweep", "--device", "--quick"}, "--device wants a value before --quick"},
  };
  for (const auto& one : cases) EXPECT_EQ(refusal([&] { parse(one.first); }), one.second);
}

TEST(CommandLine, AFlagTakesNoValueAndAnOptionStandsOnce) {
  const std::pair<Words, std::string> cases[] = {
      {{"--list=false"}, "--list takes no value"},
      {{"--sweep=false", "--list"}, "--sweep takes no value"},
      {{"--list", "--quick=5"}, "--quick takes no value"},
      {{"--list", "--json=abc"}, "--json takes no value"},
      {{"--help=1"}, "--help takes no value"},
      {{"--sweep", "--budget", "1s", "--budget", "2s"}, "--budget stands twice"},
      {{"--sweep", "--out=a", "--out", "a"}, "--out stands twice"},
      {{"--pick", "k", "--pick", "l"}, "--pick stands twice"},
      {{"--print", "man", "--json"}, "--json is not for --print"},
      {{"--gate", "b", "--looks", "20,20"},
       "--looks: rising numbers of rounds are wanted, like 20,40,80"},
  };
  for (const auto& one : cases) EXPECT_EQ(refusal([&] { parse(one.first); }), one.second);
  EXPECT_EQ(parse({"--list", "--json", "--json"}).command, Command::list);
  EXPECT_EQ(parse({"--gate", "b", "--looks", "20", "--looks", "40"}).gate.looks,
            (std::vector<int>{20, 40}));
  EXPECT_EQ(
      parse({"--gate", "b", "--allow-missing", "a", "--allow-missing", "c"}).gate.allow_missing,
      (Words{"a", "c"}));
}

TEST(ConfigFault, NamesWhatIsMissingOrWrong) {
  constexpr std::int32_t kSizes[] = {4, 8};
  constexpr std::int32_t kSwitch[] = {0, 1};
  const Parameter parameters[] = {{"WG_M", kSizes}, {"UNROLL", kSizes}, {"VECTOR", kSwitch}};
  const SearchSpace space{parameters, nullptr};
  const std::pair<std::string, std::string> cases[] = {
      {"WG_M=4 UNROLL=8 VECTOR=0", ""},
      {"VECTOR=1 WG_M=8 UNROLL=4", ""},
      {"WG_M=4", "it lacks UNROLL, VECTOR"},
      {"WG_M=4 VECTOR=1", "it lacks UNROLL"},
      {"WG_M=3 UNROLL=8 VECTOR=0", "WG_M is one of 4, 8, not '3'"},
      {"WG_M=4x UNROLL=8 VECTOR=0", "WG_M is one of 4, 8, not '4x'"},
      {"WG_M=4 WG_M=8 UNROLL=8", "WG_M is given twice"},
      {"WG_N=4", "there is no parameter 'WG_N'; there are WG_M, UNROLL, VECTOR"},
      {"WG_M 4", "'WG_M' is not NAME=value"},
      {"WG_M=4  UNROLL=8 VECTOR=0", "'' is not NAME=value"},
  };
  for (const auto& [text, fault] : cases) {
    EXPECT_EQ(config_fault(space, text), fault) << text;
    EXPECT_EQ(parse_config(space, text).has_value(), fault.empty()) << text;
  }
}

TEST(ExitCodes, TheWorseOfTwoCounts) {
  const ExitCode worst_first[] = {kExitInterrupted, kExitNoDevice,     kExitUsage,
                                  kExitDeviceFault, kExitWrongResult,  kExitMissingCase,
                                  kExitRegression,  kExitInconclusive, kExitGood};
  for (std::size_t i = 0; i < std::size(worst_first); ++i) {
    for (std::size_t j = i; j < std::size(worst_first); ++j) {
      EXPECT_EQ(worse(worst_first[i], worst_first[j]), worst_first[i]);
      EXPECT_EQ(worse(worst_first[j], worst_first[i]), worst_first[i]);
    }
  }
}

TEST(Failures, AreOnePrintableLineWhateverTheyQuote) {
  EXPECT_STREQ(Failure(kExitUsage, "a\x1b[31m\nb\xff").what(), "a\\x1b[31m b\\xff");
  EXPECT_STREQ(Failure(kExitUsage, "'\\x1b' stays").what(), "'\\x1b' stays");
}

TEST(MatchingDevices, AreThoseOfTheIndexOrOfTheName) {
  std::vector<Device> devices(3);
  devices[0].info.platform = devices[1].info.platform = "One";
  devices[2].info.platform = "Other";
  devices[0].info.name = devices[1].info.name = devices[2].info.name = "Chip";
  using Indices = std::vector<std::size_t>;
  EXPECT_EQ(matching_devices("", devices), (Indices{0, 1, 2}));
  EXPECT_EQ(matching_devices("One: ", devices), (Indices{0, 1}));
  EXPECT_EQ(matching_devices("2", devices), Indices{2});
  EXPECT_EQ(matching_devices("", {}), Indices{});
  EXPECT_NE(refusal([&] { matching_devices("3", devices); }), "");
  EXPECT_NE(refusal([&] { matching_devices("nonsense", devices); }), "");
}

TEST(CommandLine, RefusesNoModeAndSeveral) {
  for (const Words& words : {Words{}, Words{"--json"}, Words{"--list", "--check"},
                             Words{"--check", "--sweep"}, Words{"--sweep", "--pick", "k"},
                             Words{"--list", "--replay", "j"}, Words{"--worker", "--sweep"}}) {
    EXPECT_NE(refusal([&] { parse(words); }), "") << testing::PrintToString(words);
  }
}

TEST(CommandLine, ReadsAShard) {
  const Options options = parse({"--sweep", "--shard", "3/8"});
  EXPECT_EQ(options.shard, 3);
  EXPECT_EQ(options.shards, 8);
  EXPECT_EQ(options.journal, "tuned.json.3-of-8.journal");
  EXPECT_EQ(parse({"--sweep", "--shard", "1/1"}).journal, "tuned.json.journal");
  for (const char* shard : {"0/8", "9/8", "-1/8", "3", "3/", "/8", "3/8x", "x/8", "3/0", ""}) {
    EXPECT_NE(refusal([&] { parse({"--sweep", "--shard", shard}); }), "") << shard;
  }
  EXPECT_NE(refusal([] { parse({"--bench", "--shard", "1/2"}); }), "");
  EXPECT_NE(refusal([] { parse({"--replay", "j", "--shard", "1/2"}); }), "");
}

TEST(CommandLine, ReadsHowLongToWaitForADevice) {
  EXPECT_EQ(parse({"--sweep"}).lock_wait_s, 3600);
  EXPECT_EQ(parse({"--bench", "--lock-wait", "0s"}).lock_wait_s, 0);
  EXPECT_NE(refusal([] {
              parse({"--sweep", "--lock-wait", "soon"});
            }).find("--lock-wait"),
            std::string::npos);
}

TEST(CommandLine, NamesWhatItDoesNotKnow) {
  EXPECT_NE(refusal([] {
              parse({"--list", "--no-such-option"});
            }).find("--no-such-option"),
            std::string::npos);
  EXPECT_NE(refusal([] { parse({"--list", "stray"}); }).find("stray"), std::string::npos);
  EXPECT_NE(refusal([] { parse({"--sweep", "--mode", "slow"}); }).find("slow"), std::string::npos);
  EXPECT_NE(refusal([] { parse({"--pick"}); }), "");
  EXPECT_NE(refusal([] { parse({"--merge", "--out", "c"}); }), "");
  EXPECT_NE(refusal([] { parse({"--merge", "a", "b"}); }), "") << "nowhere to write";
  EXPECT_NE(refusal([] { parse({"--sweep", "--resume", "--replay", "j"}); }), "");
}

TEST(CommandLine, RefusesBadNumbers) {
  for (const Words& words :
       {Words{"--tokens", "x"}, Words{"--tokens", "1,x"}, Words{"--tokens", "1.5"},
        Words{"--device", "0", "--tokens", ""}, Words{"--ranks", "4;8"},
        Words{"--ranks", "99999999999"}, Words{"--features", ""}, Words{"--seed", "-1"},
        Words{"--seed", "x"}, Words{"--cases", "-1"}, Words{"--cases", "2.5"},
        Words{"--max-flops", "-1"}, Words{"--max-flops", "nan"}}) {
    EXPECT_NE(refusal([&] { parse(with({"--check"}, words)); }), "")
        << testing::PrintToString(words);
  }
}

TEST(CommandLine, ReadsLists) {
  const Options options = parse({"--check", "--tokens", "1,4", "--tokens", "16", "--ranks", "8",
                                 "--dtypes", "f16,f32", "--variants", "naive,split"});
  EXPECT_EQ(options.tokens, (std::vector<std::int64_t>{1, 4, 16}));
  EXPECT_EQ(options.ranks, std::vector<int>{8});
  EXPECT_EQ(options.dtypes, (Words{"f16", "f32"}));
  EXPECT_EQ(options.variants, (Words{"naive", "split"}));
}

TEST(CommandLine, AListIsOneWord) {
  const std::pair<Words, std::string> cases[] = {
      {{"--check", "--tokens", "1", "16"},
       "--tokens: several values are one word with commas: --tokens 1,16"},
      {{"--check", "--tokens=1,4", "16", "--json"},
       "--tokens: several values are one word with commas: --tokens 1,4,16"},
      {{"--gate", "b", "--problem", "k", "l"},
       "--problem: several values are one word with commas: --problem k,l"},
      {{"--gate", "b", "--looks", "20", "40"},
       "--looks: several values are one word with commas: --looks 20,40"},
      {{"--check", "--ranks", "4,,8"}, "--ranks: an item of '4,,8' is empty"},
      {{"--check", "--ranks=4,"}, "--ranks: an item of '4,' is empty"},
      {{"--check", "--variants", ",naive"}, "--variants: an item of ',naive' is empty"},
      {{"--check", "--dtypes", ","}, "--dtypes: an item of ',' is empty"},
      {{"--check", "--dtypes", "--json"}, "--dtypes wants a value before --json"},
  };
  for (const auto& one : cases) EXPECT_EQ(refusal([&] { parse(one.first); }), one.second);
  EXPECT_NE(refusal([] { parse({"--check", "--tokens"}); }), "");
  EXPECT_NE(refusal([] { parse({"--check", "--tokens", "1", "-16"}); }), "");
  EXPECT_EQ(parse({"--check", "--tokens=1", "--tokens", "4,16", "--json"}).tokens,
            (std::vector<std::int64_t>{1, 4, 16}));
  EXPECT_EQ(parse({"--report", "p", "a", "b", "--json"}).report, (Words{"p", "a", "b"}));
}

TEST(CommandLine, ReadsABudget) {
  const auto budget = [](const char* text) {
    return parse({"--sweep", "--budget", text}).budget_s;
  };
  EXPECT_EQ(budget("90"), 90);
  EXPECT_EQ(budget("90s"), 90);
  EXPECT_EQ(budget("10m"), 600);
  EXPECT_EQ(budget("1.5h"), 5400);
  EXPECT_EQ(parse({"--sweep"}).budget_s, 0);
  for (const char* text :
       {"0", "-5", "-5s", "x", "10x", "10 m", "10mm", "1e30", "inf", "nan", "s", "5m3s", "0x10"}) {
    EXPECT_NE(refusal([&] { budget(text); }), "") << text;
  }
}

TEST(CommandLine, PutsTheJournalBesideTheTunedFile) {
  EXPECT_EQ(parse({"--sweep"}).journal, "tuned.json.journal");
  EXPECT_EQ(parse({"--sweep", "--out", "a/b.json"}).journal, "a/b.json.journal");
  EXPECT_EQ(parse({"--sweep", "--out", "a/b.json", "--journal", "c"}).journal, "c");
}

TEST(SelectProblems, MakesAGridOf120AndAQuickOneOf12) {
  EXPECT_EQ(problems({"--list"}).size(), 120U);
  EXPECT_EQ(problems({"--sweep", "--quick"}).size(), 12U);
  for (const Problem& problem : problems({"--list"})) {
    EXPECT_EQ(invalid_reason(problem), "");
    EXPECT_TRUE(problem.accumulate);
  }
  for (const Problem& problem : problems({"--list", "--set"})) EXPECT_FALSE(problem.accumulate);
}

TEST(SelectProblems, CrossesWhatIsGiven) {
  const auto made = problems({"--list", "--tokens", "1,4", "--in", "64,128", "--out-features",
                              "32,96", "--ranks", "4", "--dtypes", "f32"});
  std::set<std::string> keys;
  for (const Problem& problem : made) keys.insert(to_string(problem));
  EXPECT_EQ(keys.size(), 8U);
  EXPECT_TRUE(keys.contains("fwd_m4_k128_n32_r4_f32_acc"));
  EXPECT_EQ(problems({"--list", "--in", "64", "--tokens", "1", "--ranks", "4"}).front().n, 64);
  EXPECT_EQ(problems({"--list", "--out-features", "64"}).front().k, 64);
  EXPECT_NE(refusal([] { problems({"--list", "--features", "64", "--in", "64"}); }), "");
}

TEST(SelectProblems, CrossesTypesSlicesAndAdapters) {
  const auto made =
      problems({"--list", "--tokens", "16", "--ranks", "8", "--dtypes", "bf16,f32_w_f16",
                "--slices", "64+32+32,128+128", "--adapters", "0,8"});
  std::set<std::string> keys;
  for (const Problem& problem : made) keys.insert(to_string(problem));
  EXPECT_EQ(keys.size(), 8U);
  EXPECT_TRUE(keys.contains("fwd_m16_k64_n64+32+32_r8_bf16_acc"));
  EXPECT_TRUE(keys.contains("fwd_m16_k128_n128+128_r8_f32_w_f16_acc_a8"));
  const auto rows = problems({"--list", "--in", "32,96", "--slices", "64+64"});
  EXPECT_EQ(rows.front().k, 32);
  EXPECT_EQ(rows.front().n, 128);
  EXPECT_EQ(problems({"--list", "--adapters", "8"}).size(), 120U);
  const std::pair<Words, std::string> refused[] = {
      {{"--slices", "64"}, "'64' is no group"},
      {{"--slices", "64+x"}, "'64+x' is no group"},
      {{"--slices", "64+64", "--features", "64"}, "--slices says"},
      {{"--slices", "64+64", "--out-features", "64"}, "--slices says"},
      {{"--adapters", "65536"}, "65536"},
      {{"--adapters", "-1"}, "-1"},
      {{"--dtypes", "f32_w_f64"}, "f32_w_f64"}};
  for (const auto& [words, what] : refused) {
    const std::string line = refusal([&, &of = words] { problems(with({"--list"}, of)); });
    EXPECT_NE(line.find(what), std::string::npos) << line;
  }
}

TEST(SelectProblems, AGridBesideWholeProblemsIsRefused) {
  for (const char* grid :
       {"--tokens", "--features", "--in", "--out-features", "--ranks", "--adapters"}) {
    EXPECT_NE(refusal([&] {
                problems({"--list", "--problem", "fwd_m1_k64_n64_r4_f32_acc", grid, "4"});
              }),
              "")
        << grid;
  }
  EXPECT_NE(refusal([] {
              problems({"--list", "--problem", "fwd_m1_k64_n64_r4_f32_acc", "--set"});
            }),
            "");
}

TEST(SelectProblems, DropsDuplicates) {
  EXPECT_EQ(problems({"--list", "--tokens", "1,1", "--features", "64,64", "--ranks", "4,4",
                      "--dtypes", "f32,f32"})
                .size(),
            1U);
  EXPECT_EQ(problems({"--list", "--problem",
                      "m1_k2_n3_r4_f32_acc,fwd_m1_k2_n3_r4_f32_acc,m1_k2_n3_r5_f32_acc"})
                .size(),
            2U);
  EXPECT_EQ(
      problems({"--list", "--problem", "m1_k2_n3_r4_f32_acc,m1_k2_n3_r4_f32_acc_align4"}).size(),
      1U);
}

TEST(SelectProblems, RefusesShapesOutOfRangeAndSaysWhich) {
  const std::pair<Words, std::string> cases[] = {
      {{"--ranks", "0"}, "rank = 0"},
      {{"--ranks", "-4"}, "rank = -4"},
      {{"--ranks", "1025"}, "rank = 1025"},
      {{"--features", "0"}, "k = 0"},
      {{"--in", "8", "--out-features", "0"}, "n = 0"},
      {{"--tokens", "-1"}, "m = -1"},
      {{"--tokens", "2147483648"}, "m = 2147483648"},
      {{"--features", "2147483648"}, "k = 2147483648"},
      {{"--tokens", "99999999999999999999"}, "99999999999999999999"},
      {{"--dtypes", "f64"}, "f64"},
      {{"--problem", "m1_k0_n3_r4_f32_acc"}, "k = 0"},
      {{"--problem", "nonsense"}, "nonsense"},
  };
  for (const auto& one : cases) {
    const std::string line = refusal([&] { problems(with({"--check"}, one.first)); });
    EXPECT_NE(line.find(one.second), std::string::npos) << line;
  }
  EXPECT_EQ(problems({"--check", "--tokens", "2147483647", "--features", "2147483647", "--ranks",
                      "1024", "--dtypes", "f16"})
                .size(),
            1U);
}

TEST(SelectProblems, ReadsAFileWithCommentsAndWindowsLineEnds) {
  const TemporaryFolder folder;
  const std::string path = (folder / "problems.txt").string();
  write_bytes(path,
              "# hand made\r\nm1_k2_n3_r4_f32_acc\r\n\r\n\nfwd_m5_k6_n7_r8_f16_set_align16\n"
              "# m9_k9_n9_r9_f32_acc\nm1_k2_n3_r4_f32_acc");
  const auto made = problems({"--list", "--problems", path});
  ASSERT_EQ(made.size(), 2U);
  EXPECT_EQ(to_string(made[0]), "fwd_m1_k2_n3_r4_f32_acc");
  EXPECT_EQ(to_string(made[1]), "fwd_m5_k6_n7_r8_f16_set_align16");
  EXPECT_EQ(problems({"--list", "--problems", path, "--problem", "m2_k2_n3_r4_f32_acc"}).size(),
            3U);
}

TEST(SelectProblems, RefusesAFileThatHoldsNone) {
  const TemporaryFolder folder;
  const std::string path = (folder / "problems.txt").string();
  const auto refused = [&](const std::string& of) {
    return refusal([&] { problems({"--list", "--problems", of}); });
  };
  EXPECT_NE(refused(path), "") << "missing";
  EXPECT_NE(refused(folder.path().string()), "") << "a folder";
  for (const char* content : {"", "# only\n\n", "m1_k2_n3_r4_f32_acc\nwhat?\n", "\r\r\n"}) {
    write_bytes(path, content);
    EXPECT_NE(refused(path), "") << content;
  }
}

TEST(SelectVariants, TakesAllOrTheNamedOnesOnce) {
  EXPECT_EQ(select_variants(parse({"--list"})).size(), variants().size());
  const auto chosen = select_variants(parse({"--list", "--variants", "split,naive,split"}));
  ASSERT_EQ(chosen.size(), 2U);
  EXPECT_EQ(chosen[0]->name, "split");
  const std::string line = refusal([] {
    select_variants(parse({"--list", "--variants", "naive,no_such"}));
  });
  EXPECT_NE(line.find("no_such"), std::string::npos) << line;
}

}  // namespace
}  // namespace loratune
