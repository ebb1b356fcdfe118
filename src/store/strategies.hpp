// The table of strategies: one line each. Their words in arguments, tables and the log come from
// here, and so does the order in which `auto` tries them (engine/strategies.hpp).
//
// A new strategy is a line here, and a folder of src/engine/ that defines its `Work`
// (engine/strategy/work.hpp): when it is chosen, which lock it needs, and how it refreshes. The
// condition on job.strategy in the install script lists the words that a job may ask for.
#pragma once

namespace metrics_refresh::store {

/// Properties of a strategy, as bits.
enum StrategyTraits : unsigned {
  kNoTraits = 0,
  kAskable = 1,           // a job or a caller may ask for it; otherwise it can only be chosen
  kSetUpByJob = 2,        // a job that asks for it prepares the view
  kNeedsUniqueIndex = 4,  // health_check() reports a view without a unique index
};

// STRATEGY(name, word, traits)
#define METRICS_REFRESH_STRATEGIES(STRATEGY)                           \
  /* Nothing is done, because nothing has changed. */                  \
  STRATEGY(Skip, "skip", kNoTraits)                                    \
  /* Only rows that could have changed are computed. */                \
  STRATEGY(Incremental, "incremental", kAskable | kSetUpByJob)         \
  /* All rows are computed, and those that differ are written. */      \
  STRATEGY(Diff, "diff", kAskable)                                     \
  /* The server's REFRESH ... CONCURRENTLY. */                         \
  STRATEGY(Concurrently, "concurrently", kAskable | kNeedsUniqueIndex) \
  /* The server's REFRESH. It blocks readers. */                       \
  STRATEGY(Full, "full", kAskable)

/// A strategy, or a word in its place: `auto` leaves the choice to the engine. The runs of commands
/// and groups are logged as kCommand and kGroup.
enum class Strategy {
  kAuto,
#define STRATEGY(name, word, traits) k##name,
  METRICS_REFRESH_STRATEGIES(STRATEGY)
#undef STRATEGY
      kCommand,
  kGroup,
};

constexpr unsigned traits_of(Strategy strategy) {
  switch (strategy) {
#define STRATEGY(name, word, traits) \
  case Strategy::k##name:            \
    return traits;
    METRICS_REFRESH_STRATEGIES(STRATEGY)
#undef STRATEGY
    case Strategy::kAuto:
      return kAskable;
    case Strategy::kCommand:
    case Strategy::kGroup:
      break;
  }
  return kNoTraits;
}

constexpr bool has_trait(Strategy strategy, StrategyTraits trait) {
  return (traits_of(strategy) & trait) != 0;
}

}  // namespace metrics_refresh::store
