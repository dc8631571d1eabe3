// What llama.cpp does with a model file, asked by the differential test of the validator.
//
// It reads one command a line and answers with one line. Each file is met in a process of its own (a fork), so that its death
// costs nothing but an answer. It must not know what the validator thinks of the file.
//
//   run PATH        the model is loaded, tokenises and computes a few tokens
//                   -> "ran", "refused", or "died STAGE how: last words"
//   complete PATH   PATH holds metadata only; the tensors that llama.cpp wants for it, as "name:shape,shape ..." or "refused: why"

#include "ggml-backend.h"
#include "gguf.h"
#include "llama.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

// Processor time of one file in seconds; a tiny model takes milliseconds, so what takes this long hangs.
constexpr rlim_t MAX_CPU_SECONDS = 20;
// Positions of the context, and tokens that are computed at most.
constexpr uint32_t CONTEXT_TOKENS = 64;
constexpr int32_t MAX_PROMPT_TOKENS = 16;
constexpr int REFUSED = 3;

// How far a file came; shared with the forked process.
enum Stage : int { LOAD, TOKENISE, CONTEXT, COMPUTE, FREE };
const char * const STAGES[] = {"load", "tokenise", "context", "compute", "free"};
volatile int * stage = nullptr;

void log_errors(ggml_log_level level, const char * text, void *) {
    if (level == GGML_LOG_LEVEL_ERROR) {
        fputs(text, stderr);
    }
}

// Texts with what tokenisers trip over: bytes that are no UTF-8, white space, digits, letters of other scripts, nothing.
const std::string TEXTS[] = {"hello world", "", " \n\t 12345 'll", "Gr\xc3\xb6\xc3\x9f" "e \xe6\xa8\xa1\xe5\x9e\x8b \xf0\x9f\x98\x80", "\xff\xfe\x80 a"};

std::vector<llama_token> tokenise(const llama_vocab * vocab) {
    std::vector<llama_token> longest;
    for (const std::string & text : TEXTS) {
        std::vector<llama_token> tokens(text.size() + 8);
        const int32_t count = llama_tokenize(vocab, text.data(), (int32_t) text.size(), tokens.data(), (int32_t) tokens.size(), true, true);
        if (count < 0) {
            continue;
        }
        tokens.resize(count);
        for (const llama_token token : tokens) {
            char piece[256];
            llama_token_to_piece(vocab, token, piece, sizeof(piece), 0, true);
            llama_vocab_is_eog(vocab, token);
        }
        if (tokens.size() > longest.size()) {
            longest = tokens;
        }
    }
    if (longest.empty()) {
        longest.push_back(0);
    }
    return longest;
}

void compute(llama_model * model, std::vector<llama_token> tokens) {
    llama_context_params params = llama_context_default_params();
    params.n_ctx = CONTEXT_TOKENS;
    params.n_batch = CONTEXT_TOKENS;
    params.n_ubatch = CONTEXT_TOKENS;
    params.n_threads = 1;
    params.n_threads_batch = 1;
    params.kv_unified = true;
    llama_context * context = llama_init_from_model(model, params);
    if (context == nullptr) {
        return;
    }
    *stage = COMPUTE;
    if ((int32_t) tokens.size() > MAX_PROMPT_TOKENS) {
        tokens.resize(MAX_PROMPT_TOKENS);
    }
    const llama_batch batch = llama_batch_get_one(tokens.data(), (int32_t) tokens.size());
    bool going_on = true;
    if (llama_model_has_encoder(model)) {
        going_on = llama_encode(context, batch) == 0;
    }
    if (going_on && llama_model_has_decoder(model) && llama_decode(context, batch) == 0 && llama_get_logits(context) != nullptr) {
        llama_token next = 0;
        llama_decode(context, llama_batch_get_one(&next, 1));
    }
    llama_synchronize(context);
    llama_free(context);
}

int run(const std::string & path) {
    *stage = LOAD;
    llama_model_params params = llama_model_default_params();
    params.n_gpu_layers = 0;
    llama_model * model = llama_model_load_from_file(path.c_str(), params);
    if (model == nullptr) {
        return REFUSED;
    }
    *stage = TOKENISE;
    const std::vector<llama_token> tokens = tokenise(llama_model_get_vocab(model));
    *stage = CONTEXT;
    compute(model, tokens);
    *stage = FREE;
    llama_model_free(model);
    return 0;
}

void note_tensor(ggml_tensor * tensor, void * into) {
    std::string & table = *static_cast<std::string *>(into);
    table += table.empty() ? "" : " ";
    table += ggml_get_name(tensor);
    for (int dimension = 0; dimension < ggml_n_dims(tensor); dimension++) {
        table += (dimension == 0 ? ":" : ",") + std::to_string(tensor->ne[dimension]);
    }
}

// Writes the table to `answer`, which the parent reads.
int complete(const std::string & path, FILE * answer) {
    *stage = LOAD;
    gguf_init_params how = {/*no_alloc =*/true, /*ctx =*/nullptr};
    gguf_context * metadata = gguf_init_from_file(path.c_str(), how);
    if (metadata == nullptr) {
        return REFUSED;
    }
    std::string table;
    llama_model_params params = llama_model_default_params();
    params.n_gpu_layers = 0;
    llama_model * model = llama_model_init_from_user(metadata, note_tensor, &table, params);
    if (model == nullptr) {
        return REFUSED;
    }
    fputs(table.c_str(), answer);
    fflush(answer);
    return 0;
}

// The end of what was said, on one line.
std::string last_words(FILE * said) {
    rewind(said);
    std::string text;
    char chunk[4096];
    for (size_t count = 0; (count = fread(chunk, 1, sizeof(chunk), said)) > 0;) {
        text.append(chunk, count);
    }
    for (char & character : text) {
        character = character == '\n' || character == '\r' ? ' ' : character;
    }
    return text;
}

std::string describe(int status) {
    if (WIFSIGNALED(status)) {
        return std::string("signal ") + std::to_string(WTERMSIG(status));
    }
    return "exit " + std::to_string(WEXITSTATUS(status));
}

std::string answer_to(const std::string & command, const std::string & path, FILE * said) {
    fflush(said);
    if (ftruncate(fileno(said), 0) != 0 || lseek(fileno(said), 0, SEEK_SET) != 0) {
        return "failed: the file for last words cannot be emptied";
    }
    const pid_t child = fork();
    if (child < 0) {
        return "failed: no process can be made";
    }
    if (child == 0) {
        const rlimit limit = {MAX_CPU_SECONDS, MAX_CPU_SECONDS};
        setrlimit(RLIMIT_CPU, &limit);
        dup2(fileno(said), STDERR_FILENO);
        _exit(command == "complete" ? complete(path, said) : run(path));
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child) {
        return "failed: the process was lost";
    }
    const std::string words = last_words(said);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return command == "complete" ? words : "ran";
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == REFUSED) {
        return "refused: " + words;
    }
    // The first words of a report say what it is about, the rest is addresses.
    return std::string("died ") + STAGES[*stage] + " " + describe(status) + ": " + words.substr(0, 4000);
}

} // namespace

// The report is enough; what is never freed at the end of a process is no fault here. A gibibyte is beyond all that tiny files need.
extern "C" const char * __asan_default_options() {
    return "detect_leaks=0:allocator_may_return_null=1:max_allocation_size_mb=1024:handle_abort=0:symbolize=0";
}

int main() {
    void * shared = mmap(nullptr, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    FILE * said = tmpfile();
    if (shared == MAP_FAILED || said == nullptr) {
        return 1;
    }
    stage = static_cast<volatile int *>(shared);
    // An assertion that fails would start a debugger; the words before are enough.
    setenv("GGML_NO_BACKTRACE", "1", 1);
    llama_log_set(log_errors, nullptr);
    llama_backend_init();
    for (std::string line; std::getline(std::cin, line);) {
        const size_t space = line.find(' ');
        if (space == std::string::npos) {
            return 1;
        }
        std::cout << answer_to(line.substr(0, space), line.substr(space + 1), said) << std::endl;
    }
    return 0;
}
