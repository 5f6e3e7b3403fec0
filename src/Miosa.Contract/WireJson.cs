using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Miosa;

/// <summary>Source-generated JSON of every wire record: snake_case names, nulls written (Go and Python tell absent from null), wire times.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.Never,
    NumberHandling = JsonNumberHandling.Strict,
    Converters = [typeof(WireTime)])]
[JsonSerializable(typeof(SandboxInfo))]
[JsonSerializable(typeof(Page<SandboxInfo>))]
[JsonSerializable(typeof(ExecResult))]
[JsonSerializable(typeof(ExecStreamEvent))]
[JsonSerializable(typeof(FileWriteResult))]
[JsonSerializable(typeof(FileUploadResult))]
[JsonSerializable(typeof(FileListing))]
[JsonSerializable(typeof(FileStat))]
[JsonSerializable(typeof(FileTreeNode))]
[JsonSerializable(typeof(WriteManyResult))]
[JsonSerializable(typeof(SandboxEnvList))]
[JsonSerializable(typeof(SandboxEnvDeleted))]
[JsonSerializable(typeof(FileWatchEvent))]
[JsonSerializable(typeof(OkBody))]
[JsonSerializable(typeof(SandboxEvent))]
[JsonSerializable(typeof(Readiness))]
[JsonSerializable(typeof(SandboxUsage))]
[JsonSerializable(typeof(SandboxEgress))]
[JsonSerializable(typeof(EgressRefusals))]
[JsonSerializable(typeof(SandboxMetrics))]
[JsonSerializable(typeof(SandboxSnapshot))]
[JsonSerializable(typeof(SandboxSnapshotList))]
[JsonSerializable(typeof(ProcessInfo))]
[JsonSerializable(typeof(ProcessList))]
[JsonSerializable(typeof(ProcessLogs))]
[JsonSerializable(typeof(ProcessStreamEvent))]
[JsonSerializable(typeof(SandboxLogs))]
[JsonSerializable(typeof(SandboxLogEvent))]
[JsonSerializable(typeof(SandboxTemplate))]
[JsonSerializable(typeof(SandboxTemplateList))]
[JsonSerializable(typeof(SandboxTemplateBuild))]
[JsonSerializable(typeof(SandboxTemplateBuildList))]
[JsonSerializable(typeof(TemplateBuildEvent))]
[JsonSerializable(typeof(BuildSpecValidation))]
[JsonSerializable(typeof(ProductTemplateCatalog))]
[JsonSerializable(typeof(TemplateStartResult))]
[JsonSerializable(typeof(FileExport))]
[JsonSerializable(typeof(SandboxExport))]
[JsonSerializable(typeof(ErrorBody))]
[JsonSerializable(typeof(HealthStatus))]
[JsonSerializable(typeof(VersionInfo))]
[JsonSerializable(typeof(JsonObject))]
internal sealed partial class WireJson : JsonSerializerContext;

/// <summary>The same for request bodies, where an absent field means "leave it" and so nulls are not written.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    Converters = [typeof(WireTime)])]
[JsonSerializable(typeof(CreateSandboxRequest))]
[JsonSerializable(typeof(UpdateSandboxRequest))]
[JsonSerializable(typeof(ExtendSandboxRequest))]
[JsonSerializable(typeof(ForkSandboxRequest))]
[JsonSerializable(typeof(CreateSnapshotRequest))]
[JsonSerializable(typeof(CreateSandboxTemplateRequest))]
[JsonSerializable(typeof(CreateSandboxTemplateBuildRequest))]
[JsonSerializable(typeof(ValidateBuildSpecRequest))]
[JsonSerializable(typeof(RegistryAuth))]
[JsonSerializable(typeof(TemplateStartRequest))]
[JsonSerializable(typeof(SandboxTagsRequest))]
[JsonSerializable(typeof(SandboxEgress))]
[JsonSerializable(typeof(ExecRequest))]
[JsonSerializable(typeof(SandboxEnvSetRequest))]
[JsonSerializable(typeof(FileWriteRequest))]
[JsonSerializable(typeof(FilePathRequest))]
[JsonSerializable(typeof(FileMkdirRequest))]
[JsonSerializable(typeof(FileMoveRequest))]
[JsonSerializable(typeof(FileChmodRequest))]
[JsonSerializable(typeof(WriteManyRequest))]
[JsonSerializable(typeof(SandboxExportRequest))]
[JsonSerializable(typeof(StartProcessRequest))]
[JsonSerializable(typeof(ProcessStdinRequest))]
[JsonSerializable(typeof(ProcessSignalRequest))]
internal sealed partial class RequestJson : JsonSerializerContext;
