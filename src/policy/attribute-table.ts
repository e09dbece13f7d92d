/**
 * What an attribute's value may be used for. `public`: code and infrastructure in words that many share; may group and
 * match. `quasi`: one machine, place or number; stored, and leaves only where a policy lists it. `subject`: a person or a
 * person's device; stored as a pseudonym. `prohibited`: never stored.
 */
export type AttributeClass = 'public' | 'quasi' | 'subject' | 'prohibited';

/**
 * The attributes of OpenTelemetry's semantic conventions (1.45 and what its packages still carry,
 * https://opentelemetry.io/docs/specs/semconv/registry/attributes/), and the older names of the same things. A key that ends in `.*` stands for all keys that begin so; the longest entry
 * that fits wins. What fits none is prohibited. Public keys are written out one by one: a prefix would let in whatever a
 * sender puts under it.
 */
export const ATTRIBUTES: Readonly<Record<AttributeClass, readonly string[]>> = {
  public: words(`
    service.name service.namespace service.version service.criticality peer.service
    deployment.environment.name deployment.environment deployment.status
    cloud.provider cloud.platform cloud.region
    telemetry.sdk.name telemetry.sdk.language telemetry.sdk.version
    telemetry.distro.name telemetry.distro.version telemetry.auto.version
    otel.scope.name otel.scope.version otel.library.name otel.library.version otel.component.type otel.status_code
    otel.event.name otel.span.parent.origin otel.span.sampling_result opentracing.ref_type
    http.request.method http.method http.response.status_code http.status_code http.route http.scheme http.flavor
    http.connection.state url.scheme url.template user_agent.synthetic.type
    rpc.system rpc.system.name rpc.service rpc.method rpc.response.status_code rpc.status_code rpc.grpc.status_code
    rpc.connect_rpc.error_code rpc.jsonrpc.error_code rpc.jsonrpc.version rpc.message.type message.type
    jsonrpc.protocol.version mcp.method.name mcp.protocol.version
    onc_rpc.program.name onc_rpc.procedure.name onc_rpc.procedure.number onc_rpc.version
    nfs.operation.name nfs.server.repcache.status signalr.connection.status signalr.transport
    graphql.operation.type
    db.system db.system.name db.operation db.operation.name db.response.status_code
    db.client.connection.state db.client.connections.state
    db.cassandra.consistency_level cassandra.consistency.level cassandra.query.idempotent db.cassandra.idempotence
    db.cosmosdb.connection_mode db.cosmosdb.consistency_level db.cosmosdb.operation_type db.cosmosdb.status_code
    db.cosmosdb.sub_status_code azure.cosmosdb.connection.mode azure.cosmosdb.consistency.level
    azure.cosmosdb.response.sub_status_code azure.servicebus.disposition_status
    messaging.system messaging.system.name messaging.operation messaging.operation.name messaging.operation.type
    messaging.rocketmq.message.type
    messaging.rocketmq.consumption_model rocketmq.message.type rocketmq.consumption_model
    messaging.servicebus.disposition_status messaging.destination.anonymous messaging.destination.temporary
    messaging.kafka.message.tombstone kafka.message.tombstone messaging.destination_kind messaging.protocol
    messaging.temp_destination net.app.protocol.name net.app.protocol.version
    network.protocol.name network.protocol.version network.transport network.type network.connection.state
    network.io.direction net.protocol.name net.protocol.version net.transport net.sock.family
    tls.cipher tls.curve tls.established tls.next_protocol tls.protocol.name tls.protocol.version tls.resumed
    error.type exception.type exception.escaped event.name event.domain
    cloudevents.event_type cloudevents.event_spec_version
    faas.trigger faas.coldstart faas.invoked_provider faas.invoked_region faas.document.operation
    feature_flag.provider.name feature_flag.provider_name feature_flag.result.reason feature_flag.evaluation.reason
    gen_ai.system gen_ai.provider.name gen_ai.operation.name gen_ai.request.model gen_ai.response.model
    gen_ai.token.type gen_ai.output.type gen_ai.tool.type gen_ai.openai.request.response_format
    gen_ai.openai.request.service_tier gen_ai.openai.response.service_tier
    openai.api.type openai.request.service_tier openai.response.service_tier
    aspnetcore.authentication.result aspnetcore.authorization.result aspnetcore.diagnostics.exception.result
    aspnetcore.rate_limiting.result aspnetcore.request.is_unhandled aspnetcore.routing.is_fallback
    aspnetcore.routing.match_status
    jvm.memory.type jvm.memory.pool.name jvm.gc.name jvm.gc.action jvm.thread.state jvm.thread.daemon
    jvm.buffer.pool.name nodejs.eventloop.state v8js.gc.type v8js.heap.space.name v8js.resource.type
    go.memory.type go.cpu.state dotnet.gc.heap.generation cpython.gc.generation
    cpu.mode system.cpu.state system.memory.state system.paging.direction system.paging.fault.type system.paging.state
    system.paging.type system.network.state system.process.status system.processes.status system.filesystem.state
    system.filesystem.mode system.filesystem.type linux.memory.slab.state system.memory.linux.slab.state
    disk.io.direction process.context_switch.type process.context_switch_type process.cpu.state
    process.paging.fault_type
    log.iostream os.type host.arch container.runtime container.runtime.name container.cpu.state
  `),
  quasi: words(`
    service.instance.id service.peer.name service.peer.namespace service.instance.cost_center.*
    tenant tenant.id tenant.name deployment.id deployment.name
    host.* container.* hw.* mainframe.lpar.name zos.smf.id zos.sysplex.name
    os.name os.version os.build_id os.description
    k8s.pod.* k8s.node.* k8s.cluster.name k8s.cluster.uid k8s.container.ephemeral_storage.fs_type k8s.container.name
    k8s.container.restart_count k8s.container.status.last_terminated_reason k8s.container.status.reason
    k8s.container.status.state k8s.namespace.name k8s.namespace.phase k8s.namespace.label.* k8s.deployment.name
    k8s.deployment.uid k8s.deployment.label.* k8s.replicaset.name k8s.replicaset.uid k8s.replicaset.label.*
    k8s.statefulset.name k8s.statefulset.uid k8s.statefulset.label.* k8s.daemonset.name k8s.daemonset.uid
    k8s.daemonset.label.* k8s.job.name k8s.job.uid k8s.job.label.* k8s.cronjob.name k8s.cronjob.uid
    k8s.cronjob.label.* k8s.replicationcontroller.name k8s.replicationcontroller.uid k8s.hpa.metric.type k8s.hpa.name
    k8s.hpa.uid k8s.hpa.scaletargetref.api_version k8s.hpa.scaletargetref.kind k8s.hpa.scaletargetref.name
    k8s.hugepage.size k8s.persistentvolume.name k8s.persistentvolume.uid k8s.persistentvolume.reclaim_policy
    k8s.persistentvolume.status.phase k8s.persistentvolumeclaim.name k8s.persistentvolumeclaim.uid
    k8s.persistentvolumeclaim.status.phase k8s.resourcequota.name k8s.resourcequota.uid
    k8s.resourcequota.resource_name k8s.service.name k8s.service.uid k8s.service.type
    k8s.service.endpoint.address_type k8s.service.endpoint.condition k8s.service.endpoint.zone
    k8s.service.publish_not_ready_addresses k8s.service.traffic_distribution k8s.service.label.*
    k8s.storageclass.name k8s.volume.name k8s.volume.type openshift.clusterquota.name openshift.clusterquota.uid
    cloud.account.id cloud.availability_zone cloud.resource_id cloudfoundry.* heroku.* oracle_cloud.realm
    aws.ecs.* aws.eks.* aws.log.* aws.lambda.* aws.bedrock.* aws.step_functions.* aws.request_id
    aws.extended_request_id aws.s3.bucket aws.s3.part_number aws.s3.upload_id aws.sns.topic.arn aws.sqs.queue.url
    aws.kinesis.stream_name aws.secretsmanager.secret.arn aws.dynamodb.table_names aws.dynamodb.index_name
    aws.dynamodb.consistent_read aws.dynamodb.count aws.dynamodb.limit aws.dynamodb.scan_forward
    aws.dynamodb.scanned_count aws.dynamodb.segment aws.dynamodb.select aws.dynamodb.table_count
    aws.dynamodb.total_segments aws.dynamodb.consumed_capacity aws.dynamodb.provisioned_read_capacity
    aws.dynamodb.provisioned_write_capacity
    az.namespace az.service_request_id azure.service.request.id azure.client.id azure.resource_group.name
    azure.resource_provider.namespace azure.cosmosdb.operation.contacted_regions
    azure.cosmosdb.operation.request_charge azure.cosmosdb.request.body.size azure.eventhubs.message.enqueued_time
    azure.servicebus.message.delivery_count azure.servicebus.message.enqueued_time
    gcp.apphub.* gcp.apphub_destination.* gcp.cloud_run.* gcp.gce.* gcp.client.service
    gcp.pubsub.message.ack_deadline gcp.pubsub.message.delivery_attempt
    faas.name faas.version faas.instance faas.max_memory faas.cron faas.time faas.invocation_id faas.invocation.id
    faas.execution faas.id faas.invocation.start_time faas.invoked_name faas.document.collection faas.document.time
    server.address server.port server.prefix server.mac.address server.as.* server.service.name
    server.service.namespace client.service.name
    client.service.namespace http.host http.server_name net.host.name net.host.port net.host.ip net.sock.host.addr
    net.sock.host.port net.peer.port net.sock.peer.port network.peer.port network.local.* network.interface.name
    network.connection.type network.connection.subtype net.host.connection.type net.host.connection.subtype
    destination.port source.port client.port url.domain url.port url.extension url.subdomain url.registered_domain
    url.top_level_domain dns.question.name
    http.request.size http.request.body.size http.response.size http.response.body.size http.request.resend_count
    http.resend_count http.request_content_length http.request_content_length_uncompressed
    http.response_content_length http.response_content_length_uncompressed
    rpc.message.id rpc.message.compressed_size rpc.message.uncompressed_size
    message.id message.compressed_size message.uncompressed_size graphql.operation.name
    db.namespace db.name db.collection.name db.cassandra.keyspace db.hbase.namespace db.sql.table
    db.mongodb.collection db.cassandra.table db.cosmosdb.container
    db.redis.database_index db.query.summary db.stored_procedure.name db.operation.batch.size
    db.response.returned_rows db.instance.id db.mssql.instance_name db.jdbc.driver_classname
    db.elasticsearch.cluster.name db.elasticsearch.node.name elasticsearch.node.name oracle.db.*
    db.client.connection.pool.name db.client.connections.pool.name pool.name
    db.cassandra.coordinator.dc db.cassandra.coordinator.id db.cassandra.page_size
    db.cassandra.speculative_execution_count cassandra.coordinator.dc cassandra.coordinator.id cassandra.page.size
    cassandra.speculative_execution.count db.cosmosdb.client_id db.cosmosdb.regions_contacted
    db.cosmosdb.request_charge db.cosmosdb.request_content_length
    messaging.destination messaging.destination.name messaging.destination.template messaging.destination.partition.id
    messaging.destination.subscription.name messaging.destination_publish.name messaging.destination_publish.anonymous
    messaging.source.name messaging.source.template messaging.source.anonymous messaging.source.temporary
    messaging.consumer.group.name messaging.consumer.id messaging.client.id messaging.client_id
    messaging.batch.message_count messaging.message.id messaging.message.body.size messaging.message.envelope.size
    messaging.message.payload_size_bytes messaging.message.payload_compressed_size_bytes
    messaging.kafka.cluster.id messaging.kafka.consumer.group messaging.kafka.client_id
    messaging.kafka.destination.partition messaging.kafka.source.partition messaging.kafka.message.offset
    messaging.kafka.offset messaging.kafka.partition kafka.cluster.id kafka.offset
    messaging.message_id messaging.consumer_id messaging.protocol_version
    messaging.eventhubs.consumer.group messaging.eventhubs.message.enqueued_time
    messaging.gcp_pubsub.message.ack_deadline messaging.gcp_pubsub.message.delivery_attempt
    messaging.rabbitmq.message.delivery_tag rabbitmq.message.delivery_tag
    messaging.rocketmq.client_group messaging.rocketmq.client_id messaging.rocketmq.namespace
    messaging.rocketmq.message.delay_time_level messaging.rocketmq.message.delivery_timestamp
    rocketmq.message.delay_time_level rocketmq.message.delivery_timestamp rocketmq.namespace
    messaging.servicebus.destination.subscription_name messaging.servicebus.message.delivery_count
    messaging.servicebus.message.enqueued_time
    tls.server.* tls.client.supported_ciphers tls.client.not_after tls.client.not_before
    user_agent.name user_agent.version user_agent.os.name user_agent.os.version
    cloudevents.event_id cloudevents.event_source feature_flag.key feature_flag.variant feature_flag.result.variant
    feature_flag.version feature_flag.set.id
    gen_ai.usage.* gen_ai.agent.id gen_ai.agent.name gen_ai.agent.version gen_ai.data_source.id gen_ai.response.id
    gen_ai.response.finish_reasons gen_ai.response.time_to_first_chunk gen_ai.tool.name gen_ai.tool.call.id
    gen_ai.prompt.name gen_ai.workflow.name gen_ai.embeddings.dimension.count gen_ai.evaluation.name
    gen_ai.evaluation.score.label gen_ai.evaluation.score.value gen_ai.request.choice.count
    gen_ai.request.encoding_formats gen_ai.request.frequency_penalty gen_ai.request.max_tokens
    gen_ai.request.presence_penalty gen_ai.request.seed gen_ai.request.stream gen_ai.request.temperature
    gen_ai.request.top_k gen_ai.request.top_p gen_ai.openai.request.seed gen_ai.openai.response.system_fingerprint
    openai.response.system_fingerprint
    aspnetcore.authentication.scheme aspnetcore.authorization.policy aspnetcore.diagnostics.handler.type
    aspnetcore.identity.error_code aspnetcore.identity.password_check_result aspnetcore.identity.result
    aspnetcore.identity.sign_in.result aspnetcore.identity.sign_in.type aspnetcore.identity.token_purpose
    aspnetcore.identity.token_verified aspnetcore.identity.user.update_type aspnetcore.identity.user_type
    aspnetcore.memory_pool.owner aspnetcore.rate_limiting.policy aspnetcore.sign_in.is_persistent
    aspnetcore.user.is_authenticated
    jvm.executor.* jvm.gc.cause go.cpu.detailed_state go.memory.detailed_type
    system.device system.device.name system.filesystem.mountpoint system.cpu.logical_number cpu.logical_number
    system.memory.linux.hugepages.state thread.id thread.name
    process.pid process.parent_pid process.vpid process.group_leader.pid process.session_leader.pid
    process.executable.name process.executable.build_id.* process.runtime.* process.args_count process.creation.time
    process.exit.code process.exit.time process.interactive process.state process.linux.cgroup
    code.column code.column.number code.file.path code.filepath code.function code.function.name code.line.number
    code.lineno code.namespace
    webengine.name webengine.version webengine.description otel.component.name otel.scope.schema_url log.record.uid
    artifact.attestation.filename artifact.attestation.hash artifact.attestation.id artifact.filename artifact.hash
    artifact.purl artifact.version oci.manifest.digest
    android.os.api_level android.app.state android.state ios.app.state ios.state app.build_id app.crash.id
    app.jank.* app.screen.id app.screen.name app.widget.id app.widget.name device.manufacturer device.model.identifier
    device.model.name
    browser.brands browser.language browser.mobile browser.platform browser.web_vital.*
    cicd.* vcs.provider.name vcs.repository.name vcs.change.id vcs.change.state vcs.line_change.type
    vcs.ref.* vcs.repository.change.id vcs.repository.ref.* vcs.revision_delta.direction
    test.case.name test.case.result.status test.suite.name test.suite.run.status
    security_rule.category security_rule.name security_rule.reference security_rule.license security_rule.ruleset.name
    security_rule.uuid security_rule.version profile.frame.type pprof.location.is_folded pprof.mapping.has_filenames
    pprof.mapping.has_functions pprof.mapping.has_inline_frames pprof.mapping.has_line_numbers
    pprof.scope.default_sample_type pprof.scope.sample_type_order
  `),
  subject: words(`
    user.id user.hash enduser.id enduser.pseudo.id session.id session.previous_id mcp.session.id
    device.id app.installation.id feature_flag.context.id
  `),
  prohibited: words(`
    url.full url.path url.query url.fragment url.original http.url http.target browser.document.url.full
    http.request.header.* http.response.header.* http.request.body.content http.response.body.content
    http.request.method_original rpc.method_original rpc.request.header.* rpc.response.header.* rpc.response.trailer.*
    rpc.request.metadata.* rpc.response.metadata.* rpc.grpc.request.metadata.* rpc.grpc.response.metadata.*
    rpc.connect_rpc.request.metadata.* rpc.connect_rpc.response.metadata.* rpc.jsonrpc.error_message
    rpc.jsonrpc.request_id jsonrpc.request.id mcp.resource.uri graphql.document
    client.address client.prefix client.mac.address client.as.* http.client_ip
    network.peer.address network.peer.prefix network.peer.mac.address network.peer.as.* net.peer.ip net.peer.name
    net.sock.peer.addr net.sock.peer.name network.carrier.* net.host.carrier.*
    source.address source.prefix source.mac.address source.as.*
    destination.address destination.prefix destination.mac.address destination.as.* dns.answers
    user_agent.original http.user_agent geo.*
    tls.client.certificate tls.client.certificate_chain tls.client.hash.* tls.client.issuer tls.client.ja3
    tls.client.server_name tls.client.subject pprof.profile.* security_rule.description
    db.query.text db.statement db.query.parameter.* db.operation.parameter.* db.connection_string db.user
    db.elasticsearch.path_parts.* aws.dynamodb.attribute_definitions aws.dynamodb.attributes_to_get
    aws.dynamodb.exclusive_start_table aws.dynamodb.global_secondary_index_updates
    aws.dynamodb.global_secondary_indexes aws.dynamodb.item_collection_metrics
    aws.dynamodb.local_secondary_indexes aws.dynamodb.projection aws.s3.key aws.s3.copy_source aws.s3.delete
    messaging.message.conversation_id messaging.conversation_id messaging.url
    messaging.kafka.message.key messaging.kafka.message_key kafka.message.key
    messaging.rabbitmq.destination.routing_key messaging.rabbitmq.routing_key rabbitmq.destination.routing_key
    messaging.rocketmq.message.group messaging.rocketmq.message.keys messaging.rocketmq.message.tag
    rocketmq.message.group rocketmq.message.keys rocketmq.message.tag
    messaging.gcp_pubsub.message.ack_id messaging.gcp_pubsub.message.ordering_key
    gcp.pubsub.message.ack_id gcp.pubsub.message.ordering_key
    exception.message exception.stacktrace error.message code.stacktrace feature_flag.error.message
    feature_flag.evaluation.error.message feature_flag.result.value
    otel.status_description status.message status.description tracestate w3c.tracestate baggage baggage.*
    user.email user.full_name user.name user.roles user.phone enduser.*
    gen_ai.*
    process.command process.command_args process.command_line process.environment_variable.* process.owner
    process.title process.working_directory process.executable.path process.user.id process.user.name
    process.real_user.id process.real_user.name process.saved_user.id process.saved_user.name
    container.command container.command_args container.command_line container.label.* container.labels.*
    k8s.pod.annotation.* k8s.pod.annotations.* k8s.node.annotation.* k8s.node.annotations.*
    file.path file.name file.directory file.extension file.fork_name file.symbolic_link.target_path file.inode
    file.owner.id file.owner.name file.group.id file.group.name file.attributes file.mode file.size file.accessed
    file.changed file.created file.modified file.lock.mechanism file.lock.mode file.lock.type
    log.record.original log.file.name log.file.path log.file.name_resolved log.file.path_resolved
    faas.document.name cloudevents.event_subject app.screen.coordinate.* vcs.change.title
    vcs.repository.change.title vcs.owner.name vcs.repository.url.full
    cicd.pipeline.run.url.full cicd.pipeline.task.run.url.full cicd.worker.url.full
  `),
};

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}
